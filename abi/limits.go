package abi

// Limits that both sides of the contract may rely on.
const (
	// MaxEventBytes bounds one event as a frame. 16 MiB is the hard cap; nodes take 1 MiB
	// over HTTP by default.
	MaxEventBytes = 16 << 20

	// MaxKeyBytes bounds an event's key, its id and its source, each.
	MaxKeyBytes = 1024

	// MaxHeadersBytes bounds the encoded headers; 64 headers of an ordinary size fit well.
	MaxHeadersBytes = 8 << 10

	// MaxStateKeyBytes and MaxStateValueBytes bound one entry of a subscriber's state.
	MaxStateKeyBytes   = 1024
	MaxStateValueBytes = 1 << 20

	// MaxBatchEmits and MaxBatchEmitBytes end a batch early: next answers 0 once so much is staged.
	// One event may stage at most that.
	MaxBatchEmits     = 4096
	MaxBatchEmitBytes = 1 << 20
)
