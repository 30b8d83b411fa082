package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/avx-platform/avxrt/internal/rehearsal"
)

// typeWasm is the media type of a module.
const typeWasm = "application/wasm"

// Generation is one module that ran, or was refused, for a subscriber.
type Generation struct {
	Number       int       `json:"number"`
	Digest       string    `json:"digest"`
	Module       string    `json:"module"`
	Cause        string    `json:"cause"`
	Standing     string    `json:"standing"`
	Reason       string    `json:"reason,omitempty"`
	StateVersion uint32    `json:"state_version"`
	Seq          uint64    `json:"seq,omitempty"`
	Time         time.Time `json:"time"`
}

// Generations returns the history of a subscriber, oldest first.
func (c *Client) Generations(ctx context.Context, name string) ([]Generation, error) {
	var out struct{ Generations []Generation }
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

// Deployment is what became of a module that was to be deployed or brought back.
type Deployment struct {
	Subscriber string            `json:"subscriber"`
	Digest     string            `json:"digest"`
	File       string            `json:"file"` // on the node's machine
	Shared     []string          `json:"shared,omitempty"`
	Deployed   bool              `json:"deployed"`
	Generation int               `json:"generation"`
	OnTrial    bool              `json:"on_trial"`
	Move       string            `json:"state_change,omitempty"` // how its state comes to another version, which takes a while: migrate, rebuild or return
	Version    uint32            `json:"state_version"`          // that it has, or comes to
	Report     *rehearsal.Report `json:"report,omitempty"`
}

// Deploy gives a module to a subscriber, or with dryRun only looks whether it would be taken.
func (c *Client) Deploy(ctx context.Context, name string, wasm []byte, dryRun bool) (Deployment, error) {
	var out Deployment
	err := c.do(ctx, http.MethodPost, subscriberPath(name, "deploy")+"?dry_run="+strconv.FormatBool(dryRun), typeWasm, wasm, &out)
	return out, err
}

// Rollback brings an earlier generation back; to 0 is the one before the present.
func (c *Client) Rollback(ctx context.Context, name string, to uint64) (Deployment, error) {
	var out Deployment
	err := c.do(ctx, http.MethodPost, subscriberPath(name, "rollback")+"?to="+strconv.FormatUint(to, 10), "", nil, &out)
	return out, err
}
