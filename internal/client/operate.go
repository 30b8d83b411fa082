package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

func (c *Client) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, path, "application/json", body, out)
}

// Pause makes a subscriber run nothing until it is resumed.
func (c *Client) Pause(ctx context.Context, name, reason string) (Subscriber, error) {
	var out Subscriber
	err := c.post(ctx, "/v1/subscribers/"+url.PathEscape(name)+"/pause", map[string]string{"reason": reason}, &out)
	return out, err
}

// Resume lets a paused or stopped subscriber go on.
func (c *Client) Resume(ctx context.Context, name string) (Subscriber, error) {
	var out Subscriber
	err := c.post(ctx, "/v1/subscribers/"+url.PathEscape(name)+"/resume", struct{}{}, &out)
	return out, err
}

// ResetOptions say where a cursor goes.
type ResetOptions struct {
	To         string `json:"to"` // earliest, latest, seq:<n> or time:<RFC 3339>
	ReEmit     bool   `json:"re_emit"`
	EmptyState bool   `json:"empty_state"`
	DryRun     bool   `json:"dry_run"`
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

// Reset moves the cursor of a subscriber, or says what that would do.
func (c *Client) Reset(ctx context.Context, name string, opts ResetOptions) (Reset, error) {
	var out Reset
	err := c.post(ctx, "/v1/subscribers/"+url.PathEscape(name)+"/reset", opts, &out)
	return out, err
}

// Dropped is what a subscriber left behind.
type Dropped struct {
	Subscriber  string `json:"subscriber"`
	StateKeys   int    `json:"state_keys"`
	DeadLetters int    `json:"dead_letters"`
	BlockedKeys int    `json:"blocked_keys"`
	Timers      int    `json:"timers"`
}

// Drop forgets a subscriber that is not in the manifest.
func (c *Client) Drop(ctx context.Context, name string) (Dropped, error) {
	var out Dropped
	err := c.do(ctx, http.MethodDelete, "/v1/subscribers/"+url.PathEscape(name), "", nil, &out)
	return out, err
}

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

// Detached returns the subscribers that were taken out of the manifest and not dropped.
func (c *Client) Detached(ctx context.Context) ([]Detached, error) {
	var out struct{ Subscribers []Detached }
	err := c.get(ctx, "/v1/subscribers", url.Values{"detached": {"true"}}, &out)
	return out.Subscribers, err
}
