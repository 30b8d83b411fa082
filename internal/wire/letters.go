package wire

import (
	"encoding/json"
	"time"
)

// DeadLetter is an event that a subscriber gave up.
type DeadLetter struct {
	Subscriber  string          `json:"subscriber"`
	Seq         uint64          `json:"seq"`
	Topic       string          `json:"topic"`
	Key         string          `json:"key,omitempty"`
	ID          string          `json:"id"`
	Reason      string          `json:"reason"`
	Message     string          `json:"message"`
	Fingerprint string          `json:"fingerprint"` // the same for errors that differ in numbers and ids alone
	Pattern     string          `json:"pattern"`     // the message without those
	Code        int             `json:"code,omitempty"`
	Attempts    int             `json:"attempts"`
	Digest      string          `json:"digest"`
	Time        time.Time       `json:"time"`
	Fuel        int64           `json:"fuel,omitempty"`     // 0: not known
	Run         uint64          `json:"run,omitempty"`      // its emits will have this run in their ids
	Replayed    bool            `json:"replayed,omitempty"` // its emits are in the log, from before a reset
	Tries       []Try           `json:"tries,omitempty"`    // earlier attempts by hand
	Event       json.RawMessage `json:"event,omitempty"`
}

// Try is one attempt to handle a dead letter again.
type Try struct {
	Time    time.Time `json:"time"`
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Digest  string    `json:"digest"`
}

// Redriven is what came of one dead letter.
type Redriven struct {
	Seq      uint64         `json:"seq"`
	Outcome  string         `json:"outcome"` // done, skipped, failed or refused
	Reason   string         `json:"reason,omitempty"`
	Message  string         `json:"message,omitempty"`
	Attempts int            `json:"attempts"`
	Emits    map[string]int `json:"emits,omitempty"`         // number by topic
	Dropped  int            `json:"emits_dropped,omitempty"` // that were in the log already
	Writes   int            `json:"state_keys"`
	Timers   int            `json:"timers,omitempty"` // set or cancelled
	Fuel     int64          `json:"fuel"`
	Digest   string         `json:"digest,omitempty"`
}

// DeadLetters is a page of dead letters, by seq.
type DeadLetters struct {
	DeadLetters []DeadLetter `json:"dead_letters"`
}

// DroppedLetters are the seqs of dead letters that were taken out.
type DroppedLetters struct {
	Dropped []uint64 `json:"dropped"`
}

// Redrive is what came of dead letters that were handled again, in the order in which they were named.
type Redrive struct {
	Redriven []Redriven `json:"redriven"`
}
