package client

import (
	"context"
	"net/http"
)

// Build is how far a change of a subscriber's state version is.
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

// DropKeptState drops the state of the version before the present one.
func (c *Client) DropKeptState(ctx context.Context, name string) (DroppedState, error) {
	var out DroppedState
	err := c.do(ctx, http.MethodDelete, subscriberPath(name, "kept-state"), "", nil, &out)
	return out, err
}
