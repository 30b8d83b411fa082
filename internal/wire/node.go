package wire

import (
	"time"
)

// Status is how the node stands.
type Status struct {
	Node           string `json:"node"`
	Version        string `json:"version,omitempty"` // of the program
	Data           string `json:"data"`
	Ready          bool   `json:"ready"`
	NotReady       string `json:"not_ready,omitempty"`
	ManifestError  string `json:"manifest_error,omitempty"`
	Reloads        uint64 `json:"reloads"`
	RefusedReloads uint64 `json:"refused_reloads"`
	ClockProblem   string `json:"clock_problem,omitempty"`
	Head           uint64 `json:"head"`
	Durable        uint64 `json:"durable"`
}

// StateEntry is one key of a subscriber's state.
type StateEntry struct {
	Key         string `json:"key"`
	KeyBase64   string `json:"key_base64,omitempty"` // instead of Key, for bytes that are no text
	Value       string `json:"value"`
	ValueBase64 string `json:"value_base64,omitempty"` // instead of Value, for bytes that are no text
}

// State is a page of a subscriber's state, by key.
type State struct {
	Entries []StateEntry `json:"entries"`
}

// BackupRequest names a new folder on the node's machine.
type BackupRequest struct {
	Dir string `json:"dir"` // an absolute path
}

// Backup is a copy of the store that was made.
type Backup struct {
	Dir  string `json:"dir"`
	Head uint64 `json:"head"` // its last event
}

// Reloaded says that the manifest was taken over.
type Reloaded struct {
	Reloaded bool `json:"reloaded"`
}

// Clock is a wall clock that was said to be right.
type Clock struct {
	Accepted time.Time `json:"accepted"` // what it said
}
