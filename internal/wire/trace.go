package wire

// Trace is what came of an event.
type Trace struct {
	Causes      []Cause       `json:"causes"`       // of the event itself, the first one first
	Whole       bool          `json:"causes_whole"` // causes begins with a root
	Events      []TracedEvent `json:"events"`       // the event that was asked for, then what it caused, by seq
	ReadTo      uint64        `json:"read_to"`
	Cut         string        `json:"cut,omitempty"` // why it was not read to the end
	NotRecorded []string      `json:"not_recorded"`
}

// Cause is an event on the way to another, and the subscriber that went on from it.
type Cause struct {
	Seq        uint64 `json:"seq"`
	Topic      string `json:"topic"`
	ID         string `json:"id"`
	Subscriber string `json:"subscriber"`
}

// TracedEvent is an event of the tree.
type TracedEvent struct {
	Seq        uint64     `json:"seq"`
	Topic      string     `json:"topic"`
	Key        string     `json:"key,omitempty"`
	ID         string     `json:"id"`
	Cause      uint64     `json:"cause,omitempty"` // seq, of an event in the tree
	By         string     `json:"by,omitempty"`    // the subscriber that emitted it
	After      float64    `json:"after_seconds"`   // since its cause was appended
	Timer      bool       `json:"timer,omitempty"` // it waited for its time in between
	Hops       int        `json:"hops"`
	Deliveries []Delivery `json:"deliveries"`
}

// Delivery is what a subscriber made of an event.
type Delivery struct {
	Subscriber string `json:"subscriber"`
	Outcome    string `json:"outcome"` // emitted, handled, dead letter, retrying, blocked or not reached
	Emitted    int    `json:"emitted"`
	Timers     int    `json:"timers,omitempty"` // set, and not due yet
	Reason     string `json:"reason,omitempty"`
	Message    string `json:"message,omitempty"`
	Attempts   int    `json:"attempts,omitempty"`

	Handling *Handling `json:"handling,omitempty"` // with changes=true
}

// Handling is what handling an event took and changed, worked out by doing it again.
type Handling struct {
	Unknown    string   `json:"unknown,omitempty"` // why it could not be worked out
	Generation int      `json:"generation,omitempty"`
	Fuel       int64    `json:"fuel,omitempty"`
	Took       float64  `json:"took_seconds,omitempty"`
	Changes    []Change `json:"changes,omitempty"`
	More       int      `json:"more_changes,omitempty"`
	Differs    string   `json:"differs,omitempty"` // what came of it now and did not then
}

// Change is one key of a state; a nil value is one that was, or is, not there.
type Change struct {
	Key    string  `json:"key"`
	Before *string `json:"before"`
	After  *string `json:"after"`
}
