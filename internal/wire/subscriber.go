package wire

import (
	"time"
)

// Subscriber is how one subscriber stands.
type Subscriber struct {
	Name         string    `json:"name"`
	State        string    `json:"state"`
	Reason       string    `json:"reason,omitempty"`
	Problem      string    `json:"problem,omitempty"`
	Topics       []string  `json:"topics"`
	Module       string    `json:"module"`
	Digest       string    `json:"digest"`
	Generation   int       `json:"generation"`
	OnTrial      bool      `json:"on_trial,omitempty"`
	StateVersion uint32    `json:"state_version"`
	KeptVersion  uint32    `json:"kept_state_version,omitempty"` // whose state is there for a roll back
	Build        *Build    `json:"state_build,omitempty"`
	Since        time.Time `json:"since"`
	Cursor       uint64    `json:"cursor"`
	Mark         uint64    `json:"mark,omitempty"` // below it, after a reset, events are handled again
	LagEvents    uint64    `json:"lag_events"`
	LagSeconds   float64   `json:"lag_seconds"`
	BlockedKeys  int       `json:"blocked_keys"`
	Partitions   int       `json:"partitions"`
	Timers       int       `json:"timers"` // that wait
	Handled      uint64    `json:"handled"`
	Emitted      uint64    `json:"emitted"`
	Traps        uint64    `json:"traps"`
	Failures     uint64    `json:"failures"`
	Retries      uint64    `json:"retries"`
	Skipped      uint64    `json:"skipped"`
	DeadLetters  uint64    `json:"dead_letters"` // that there are
	Refused      uint64    `json:"refused"`
	RolledBack   uint64    `json:"rolled_back"`
	ExecSeconds  float64   `json:"exec_seconds"`
	MemoryBytes  int64     `json:"memory_bytes"`
}

// Build is how far a change of the state version is.
type Build struct {
	Version  uint32 `json:"version"`
	Kind     string `json:"kind"`   // migrate, rebuild or return
	Halted   bool   `json:"halted"` // the subscriber waits for it
	Next     uint64 `json:"next,omitempty"`
	Target   uint64 `json:"target,omitempty"`
	Events   uint64 `json:"events"`
	Failed   uint64 `json:"failed"`
	Keys     uint64 `json:"keys"`
	Commits  uint64 `json:"commits"`
	WaitsFor string `json:"waits_for,omitempty"`
}

// DroppedState is a version of a state that was dropped.
type DroppedState struct {
	Subscriber string `json:"subscriber"`
	Version    uint32 `json:"version"`
	Keys       int    `json:"keys"`
}

// Subscribers are all subscribers of a node.
type Subscribers struct {
	Subscribers []Subscriber `json:"subscribers"`
}
