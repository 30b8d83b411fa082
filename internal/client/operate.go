package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/avx-platform/avxrt/internal/wire"
)

func (c *Client) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, path, "application/json", body, out)
}

// Pause makes a subscriber run nothing until it is resumed.
func (c *Client) Pause(ctx context.Context, name, reason string) (wire.Subscriber, error) {
	var out wire.Subscriber
	err := c.post(ctx, "/v1/subscribers/"+url.PathEscape(name)+"/pause", wire.Reason{Reason: reason}, &out)
	return out, err
}

// Resume lets a paused or stopped subscriber go on.
func (c *Client) Resume(ctx context.Context, name string) (wire.Subscriber, error) {
	var out wire.Subscriber
	err := c.post(ctx, "/v1/subscribers/"+url.PathEscape(name)+"/resume", struct{}{}, &out)
	return out, err
}

// Reset moves the cursor of a subscriber, or says what that would do.
func (c *Client) Reset(ctx context.Context, name string, opts wire.ResetRequest) (wire.Reset, error) {
	var out wire.Reset
	err := c.post(ctx, "/v1/subscribers/"+url.PathEscape(name)+"/reset", opts, &out)
	return out, err
}

// Drop forgets a subscriber that is not in the manifest.
func (c *Client) Drop(ctx context.Context, name string) (wire.Dropped, error) {
	var out wire.Dropped
	err := c.do(ctx, http.MethodDelete, "/v1/subscribers/"+url.PathEscape(name), "", nil, &out)
	return out, err
}

// Detached returns the subscribers that were taken out of the manifest and not dropped.
func (c *Client) Detached(ctx context.Context) ([]wire.Detached, error) {
	var out wire.DetachedSubscribers
	err := c.get(ctx, "/v1/subscribers", url.Values{"detached": {"true"}}, &out)
	return out.Subscribers, err
}
