package wire

import (
	"time"
)

// Detached is a subscriber that was taken out of the manifest.
type Detached struct {
	Name        string    `json:"name"`
	Cursor      uint64    `json:"cursor"`
	Digest      string    `json:"digest"`
	Since       time.Time `json:"since"`
	StateKeys   int       `json:"state_keys"`
	DeadLetters int       `json:"dead_letters"`
	BlockedKeys int       `json:"blocked_keys"`
}

// Reset is what a reset does, or did.
type Reset struct {
	Subscriber  string `json:"subscriber"`
	DryRun      bool   `json:"dry_run"`
	From        uint64 `json:"from"`
	To          uint64 `json:"to"`
	Again       uint64 `json:"again"`        // events that are handled again
	Fresh       uint64 `json:"fresh"`        // events that are handled for the first time
	Skipped     uint64 `json:"skipped"`      // events that are not handled
	DeadLetters int    `json:"dead_letters"` // that are handled again
	BlockedKeys int    `json:"blocked_keys"` // that are freed
	Run         uint64 `json:"run"`          // of what is emitted again; 0: nothing is
	EmptyState  bool   `json:"empty_state"`
}

// ResetRequest says where a cursor goes.
type ResetRequest struct {
	To         string `json:"to"` // earliest, latest, seq:<n> or time:<RFC 3339>
	ReEmit     bool   `json:"re_emit"`
	EmptyState bool   `json:"empty_state"`
	DryRun     bool   `json:"dry_run"`
}

// Dropped is what a subscriber left behind.
type Dropped struct {
	Subscriber  string `json:"subscriber"`
	StateKeys   int    `json:"state_keys"`
	DeadLetters int    `json:"dead_letters"`
	BlockedKeys int    `json:"blocked_keys"`
	Timers      int    `json:"timers"`
}

// DetachedSubscribers are those that the manifest has no more.
type DetachedSubscribers struct {
	Subscribers []Detached `json:"subscribers"`
}

// Reason says why something is done; it is kept in the log.
type Reason struct {
	Reason string `json:"reason"`
}
