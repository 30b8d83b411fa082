package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/avx-platform/avxrt/internal/wire"
)

// Timers returns one page of a subscriber's timers, those behind after; the zero value is
// the beginning.
func (c *Client) Timers(ctx context.Context, name string, after wire.Timer, limit int) ([]wire.Timer, error) {
	var out wire.Timers
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if after.ID != "" {
		query.Set("due", strconv.FormatInt(after.Due.UnixNano(), 10))
		query.Set("id", after.ID)
	}
	err := c.get(ctx, "/v1/subscribers/"+url.PathEscape(name)+"/timers", query, &out)
	return out.Timers, err
}

// AcceptClock tells the node that its wall clock is right, and returns what it said then.
func (c *Client) AcceptClock(ctx context.Context) (time.Time, error) {
	var out wire.Clock
	err := c.do(ctx, http.MethodPost, "/v1/clock", "", nil, &out)
	return out.Accepted, err
}
