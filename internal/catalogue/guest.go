package catalogue

// guest are the codes of what befalls a guest: traps, reasons of dead letters, and what the
// host's functions answer.
var guest = []Entry{
	{
		"AVX3001", "trap", "The guest broke",
		"The module ran into unreachable code, a division by zero, memory out of bounds, a panic or an abort. The event was tried again on a fresh instance and broke the same way. Nothing of the run is kept.",
		"The message names function and source line where the module carries them (avxrt build leaves them in). avxrt call runs the event alone; a mended module and avxrt dlq redrive handle it again.",
	},
	{
		"AVX3002", "fuel", "The guest burnt its fuel",
		"One event cost more instructions than limits.fuel: an endless loop, or more work than was foreseen.",
		"avxrt call shows what an event burns. Make the work smaller, or raise limits.fuel.",
	},
	{
		"AVX3003", "depth", "The guest nested its calls too deeply",
		"Recursion went over limits.depth.",
		"End the recursion, or turn it into a loop; limits.depth is 1,900 at most.",
	},
	{
		"AVX3004", "timeout", "The guest ran out of time",
		"One event took longer than limits.time by the clock. It is tried again with the back-off of the manifest, because it may go well another time.",
		"Where fuel is not the cause, the machine is overloaded or the store slow; avxrt doctor looks at both. Raise limits.time if that is how it is.",
	},
	{
		"AVX3005", "pointer", "The guest gave a pointer outside of its memory",
		"A host function was called with an address or a length that does not lie in the module's memory.",
		"Use the SDK's functions, or check address and length where they are computed.",
	},
	{
		"AVX3006", "exit", "The guest ended itself",
		"It called exit, or its main function returned, while events were to be handled.",
		"Return from the handler instead; say fail where the event cannot be handled.",
	},
	{
		"AVX3007", "host", "The store could not be read for the guest",
		"The host failed while the guest ran. The event is not to blame.",
		"Look at the node's log and its disk; avxrt verify checks the store.",
	},
	{
		"AVX3011", "reject", "The subscriber rejected the event",
		"The module said that it will never be able to handle it.",
		"The message is the module's own. Correct what published it, or the module, and avxrt dlq redrive or drop it.",
	},
	{
		"AVX3012", "attempts", "The attempts are used up",
		"The module asked to be tried again, retry.attempts times.",
		"See the message for what it waited for; avxrt dlq redrive tries again when that is there.",
	},
	{
		"AVX3013", "hops", "The event has come too far",
		"Each event that is emitted for another one is one hop further. At the limit, subscribers most likely feed each other in a circle.",
		"avxrt lint names circles in the manifest, avxrt trace ID shows the way. Let one of the guests end it.",
	},
	{
		"AVX3014", "killed", "The process ended while the event was handled",
		"It ended, each time, when this event ran, until the attempts were used up: the event may be what ends it.",
		"Look in the node's log, and the system's (out of memory?), for why it ended, then avxrt dlq redrive.",
	},
	{
		"AVX3015", "conflict", "The stream is at another version",
		"The guest emitted an event that must become one version of a stream, and the stream is at another. The run was done again and met the same.",
		"Let the guest read the version from its state, or emit without one.",
	},
	{
		"AVX3021", "not found", "The guest asked for what there is not",
		"A host function answers it for a key of the state, of the configuration or a header that is not there. It is no error by itself.",
		"Treat it as empty, or as a reason to fail.",
	},
	{
		"AVX3022", "invalid", "The guest's request makes no sense",
		"A topic, a key, a number or a frame that was given to a host function is malformed.",
		"docs/abi.md says what each function takes.",
	},
	{
		"AVX3023", "too large", "The guest gave more than fits",
		"A key, a value, a frame or a message is longer than it may be.",
		"docs/abi.md lists the bounds; split it, or keep large data elsewhere.",
	},
	{
		"AVX3024", "denied", "The guest has no grant for the topic",
		"It emitted to a topic that no pattern of the subscriber's emits matches.",
		"Add the topic to emits in the manifest, or correct it in the module.",
	},
	{
		"AVX3025", "quota", "The guest is over one of its limits",
		"One event emitted or wrote more than limits.emits, limits.emit_bytes or limits.state_bytes.",
		"Do less for each event, or raise the limit.",
	},
	{
		"AVX3026", "unavailable", "The host cannot do it now",
		"What the guest asked for is not there at the moment.",
		"Fail with retry, so that the event is tried again later.",
	},
	{
		"AVX3027", "read-only", "The guest may not write now",
		"It runs where nothing that it does is kept.",
		"Write and emit only while an event is handled.",
	},
	{
		"AVX3028", "no current event", "The guest has no event in hand",
		"The function needs one, and the guest called it before the first or after the last.",
		"Call it in the handler.",
	},
	{
		"AVX3029", "unsupported", "The host does not know the request",
		"The number of a function, kind or option is one of a later version of the interface.",
		"Build against the SDK of this version, or ask conf for avx.abi, the version of the host.",
	},
}
