package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/avx-platform/avxrt/internal/wire"
)

// StreamQuery says which events of a stream are wanted; zeros: all.
type StreamQuery struct {
	From, At uint64 // first and last version
	Reverse  bool
	Limit    int
}

// Stream returns a page of the events of a key.
func (c *Client) Stream(ctx context.Context, key string, q StreamQuery) (wire.Stream, error) {
	values := url.Values{"limit": {strconv.Itoa(q.Limit)}, "reverse": {strconv.FormatBool(q.Reverse)}}
	values.Set("from", strconv.FormatUint(q.From, 10))
	values.Set("at", strconv.FormatUint(q.At, 10))
	var out wire.Stream
	err := c.do(ctx, http.MethodGet, "/v1/streams/"+url.PathEscape(key)+"?"+values.Encode(), "", nil, &out)
	return out, err
}

// Backup lets the node copy its store into a new folder on its machine, and returns the
// head of the copy.
func (c *Client) Backup(ctx context.Context, dir string) (head uint64, err error) {
	body, err := json.Marshal(wire.BackupRequest{Dir: dir})
	if err != nil {
		return 0, err
	}
	var out wire.Backup
	err = c.do(ctx, http.MethodPost, "/v1/backups", "application/json", body, &out)
	return out.Head, err
}

// Redact erases the payload of an event.
func (c *Client) Redact(ctx context.Context, seq uint64, reason string) (wire.Redaction, error) {
	body, err := json.Marshal(wire.Reason{Reason: reason})
	if err != nil {
		return wire.Redaction{}, err
	}
	var out wire.Redaction
	err = c.do(ctx, http.MethodPost, "/v1/events/"+strconv.FormatUint(seq, 10)+"/redaction", "application/json", body, &out)
	return out, err
}
