package client

import (
	"context"
	"net/http"

	"github.com/avx-platform/avxrt/internal/wire"
)

// DropKeptState drops the state of the version before the present one.
func (c *Client) DropKeptState(ctx context.Context, name string) (wire.DroppedState, error) {
	var out wire.DroppedState
	err := c.do(ctx, http.MethodDelete, subscriberPath(name, "kept-state"), "", nil, &out)
	return out, err
}
