package client

import (
	"context"
	"net/url"

	"github.com/avx-platform/avxrt/internal/wire"
)

// Trace returns what came of the event with this seq or id; with changes also what each handling
// took and changed, for which guests run again.
func (c *Client) Trace(ctx context.Context, event string, changes bool) (wire.Trace, error) {
	var out wire.Trace
	query := url.Values{}
	if changes {
		query.Set("changes", "true")
	}
	err := c.get(ctx, "/v1/events/"+url.PathEscape(event)+"/trace", query, &out)
	return out, err
}
