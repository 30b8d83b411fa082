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
}

// Trace returns what came of the event with this seq or id.
func (c *Client) Trace(ctx context.Context, event string) (Trace, error) {
	var out Trace
	err := c.get(ctx, "/v1/events/"+url.PathEscape(event)+"/trace", nil, &out)
	return out, err
}
