package wire

import (
	"time"
)

// Timer is an event that waits for its time.
type Timer struct {
	Due   time.Time `json:"due"`
	Set   time.Time `json:"set"` // when the run that set it was committed
	Name  string    `json:"name,omitempty"`
	ID    string    `json:"id"`
	Topic string    `json:"topic"`
	Key   string    `json:"key,omitempty"`
	Cause uint64    `json:"cause"` // seq of the event whose handling set it
	Bytes int       `json:"bytes"` // of its data
}

// Timers is a page of timers, by time and id.
type Timers struct {
	Timers []Timer `json:"timers"`
}
