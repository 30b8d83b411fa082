package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/avx-platform/avxrt/internal/rehearsal"
	"github.com/avx-platform/avxrt/internal/wire"
)

// typeWasm is the media type of a module.
const typeWasm = "application/wasm"

// Generations returns the history of a subscriber, oldest first.
func (c *Client) Generations(ctx context.Context, name string) ([]wire.Generation, error) {
	var out wire.Generations
	err := c.get(ctx, subscriberPath(name, "generations"), nil, &out)
	return out.Generations, err
}

func subscriberPath(name, what string) string {
	return "/v1/subscribers/" + url.PathEscape(name) + "/" + what
}

// Span says which events a rehearsal runs; zeros: as the manifest says.
type Span struct {
	Last, From, To uint64
	DeadLetters    bool
}

// Shadow rehearses a module on the node, which changes nothing.
func (c *Client) Shadow(ctx context.Context, name string, wasm []byte, span Span) (rehearsal.Report, error) {
	q := url.Values{}
	for key, n := range map[string]uint64{"last": span.Last, "from": span.From, "to": span.To} {
		if n != 0 {
			q.Set(key, strconv.FormatUint(n, 10))
		}
	}
	if span.DeadLetters {
		q.Set("dead_letters", "true")
	}
	var out rehearsal.Report
	err := c.do(ctx, http.MethodPost, subscriberPath(name, "shadow")+"?"+q.Encode(), typeWasm, wasm, &out)
	return out, err
}

// Deploy gives a module to a subscriber, or with dryRun only looks whether it would be taken.
func (c *Client) Deploy(ctx context.Context, name string, wasm []byte, dryRun bool) (wire.Deployment, error) {
	var out wire.Deployment
	err := c.do(ctx, http.MethodPost, subscriberPath(name, "deploy")+"?dry_run="+strconv.FormatBool(dryRun), typeWasm, wasm, &out)
	return out, err
}

// Rollback brings an earlier generation back; to 0 is the one before the present.
func (c *Client) Rollback(ctx context.Context, name string, to uint64) (wire.Deployment, error) {
	var out wire.Deployment
	err := c.do(ctx, http.MethodPost, subscriberPath(name, "rollback")+"?to="+strconv.FormatUint(to, 10), "", nil, &out)
	return out, err
}
