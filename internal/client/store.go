package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// StreamQuery says which events of a stream are wanted; zeros: all.
type StreamQuery struct {
	From, At uint64 // first and last version
	Reverse  bool
	Limit    int
}

// Stream is the stream of one key.
type Stream struct {
	Key             string            `json:"key"`
	Version         uint64            `json:"version"`
	TruncatedBefore uint64            `json:"truncated_before"`
	Closed          bool              `json:"closed"`
	Events          []json.RawMessage `json:"events"` // CloudEvents in JSON
}

// Stream returns a page of the events of a key.
func (c *Client) Stream(ctx context.Context, key string, q StreamQuery) (Stream, error) {
	values := url.Values{"limit": {strconv.Itoa(q.Limit)}, "reverse": {strconv.FormatBool(q.Reverse)}}
	values.Set("from", strconv.FormatUint(q.From, 10))
	values.Set("at", strconv.FormatUint(q.At, 10))
	var out Stream
	err := c.do(ctx, http.MethodGet, "/v1/streams/"+url.PathEscape(key)+"?"+values.Encode(), "", nil, &out)
	return out, err
}

// Backup lets the node copy its store into a new folder on its machine, and returns the
// head of the copy.
func (c *Client) Backup(ctx context.Context, dir string) (head uint64, err error) {
	body, err := json.Marshal(map[string]string{"dir": dir})
	if err != nil {
		return 0, err
	}
	var out struct {
		Head uint64 `json:"head"`
	}
	err = c.do(ctx, http.MethodPost, "/v1/backups", "application/json", body, &out)
	return out.Head, err
}

// Redaction is what became of a redaction.
type Redaction struct {
	Found      bool     `json:"found"`
	Copies     int      `json:"copies"`
	NotReached []string `json:"not_reached"`
}

// Redact erases the payload of an event.
func (c *Client) Redact(ctx context.Context, seq uint64, reason string) (Redaction, error) {
	body, err := json.Marshal(map[string]string{"reason": reason})
	if err != nil {
		return Redaction{}, err
	}
	var out Redaction
	err = c.do(ctx, http.MethodPost, "/v1/events/"+strconv.FormatUint(seq, 10)+"/redaction", "application/json", body, &out)
	return out, err
}
