package client

import (
	"context"
	"net/url"
)

// Trace is what came of an event.
type Trace struct {
	Causes      []Cause       `json:"causes"`
	Whole       bool          `json:"causes_whole"`
	Events      []TracedEvent `json:"events"`
	ReadTo      uint64        `json:"read_to"`
	Cut         string        `json:"cut,omitempty"`
	NotRecorded []string      `json:"not_recorded"`
}

// Cause is an event on the way to another, and the subscriber that went on from it.
type Cause struct {
	Seq        uint64 `json:"seq"`
	Topic      string `json:"topic"`
	ID         string `json:"id"`
	Subscriber string `json:"subscriber"`
}

// TracedEvent is an event of the tree; the first one is that which was asked for.
type TracedEvent struct {
	Seq        uint64     `json:"seq"`
	Topic      string     `json:"topic"`
	Key        string     `json:"key,omitempty"`
	ID         string     `json:"id"`
	Cause      uint64     `json:"cause,omitempty"`
	By         string     `json:"by,omitempty"`
	After      float64    `json:"after_seconds"`
	Timer      bool       `json:"timer,omitempty"`
	Hops       int        `json:"hops"`
	Deliveries []Delivery `json:"deliveries"`
}

// Delivery is what a subscriber made of an event.
type Delivery struct {
	Subscriber string `json:"subscriber"`
	Outcome    string `json:"outcome"`
	Emitted    int    `json:"emitted"`
	Timers     int    `json:"timers,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Message    string `json:"message,omitempty"`
	Attempts   int    `json:"attempts,omitempty"`

	Handling *Handling `json:"handling,omitempty"` // where it was asked for
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

// Trace returns what came of the event with this seq or id; with changes also what each handling
// took and changed, for which guests run again.
func (c *Client) Trace(ctx context.Context, event string, changes bool) (Trace, error) {
	var out Trace
	query := url.Values{}
	if changes {
		query.Set("changes", "true")
	}
	err := c.get(ctx, "/v1/events/"+url.PathEscape(event)+"/trace", query, &out)
	return out, err
}
