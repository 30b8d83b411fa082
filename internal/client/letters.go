package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/internal/wire"
)

// LetterFilter says which dead letters are meant; the zero value: all.
type LetterFilter struct {
	Seqs        []uint64
	Reason      string
	Topic       string // a pattern
	Fingerprint string // or its first digits
	Since       time.Time
}

func (f LetterFilter) values() url.Values {
	v := url.Values{}
	if len(f.Seqs) > 0 {
		v.Set("seq", joinSeqs(f.Seqs))
	}
	for name, value := range map[string]string{"reason": f.Reason, "topic": f.Topic, "fingerprint": f.Fingerprint} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if !f.Since.IsZero() {
		v.Set("since", f.Since.Format(time.RFC3339))
	}
	return v
}

func joinSeqs(seqs []uint64) string {
	texts := make([]string, len(seqs))
	for i, seq := range seqs {
		texts[i] = strconv.FormatUint(seq, 10)
	}
	return strings.Join(texts, ",")
}

func lettersPath(name string) string {
	return "/v1/subscribers/" + url.PathEscape(name) + "/dead-letters"
}

// DeadLetters returns one page of a subscriber's dead letters above a seq, with their
// events if wanted.
func (c *Client) DeadLetters(ctx context.Context, name string, after uint64, limit int, events bool) ([]wire.DeadLetter, error) {
	return c.FindDeadLetters(ctx, name, LetterFilter{}, after, limit, events)
}

// FindDeadLetters is [Client.DeadLetters] for those that a filter means.
func (c *Client) FindDeadLetters(ctx context.Context, name string, f LetterFilter, after uint64, limit int, events bool) ([]wire.DeadLetter, error) {
	var out wire.DeadLetters
	query := f.values()
	query.Set("after", strconv.FormatUint(after, 10))
	query.Set("limit", strconv.Itoa(limit))
	query.Set("events", strconv.FormatBool(events))
	err := c.get(ctx, lettersPath(name), query, &out)
	return out.DeadLetters, err
}

// DropDeadLetters takes out the named dead letters and returns their seqs.
func (c *Client) DropDeadLetters(ctx context.Context, name string, seqs []uint64) ([]uint64, error) {
	var out wire.DroppedLetters
	query := LetterFilter{Seqs: seqs}.values()
	err := c.do(ctx, http.MethodDelete, lettersPath(name)+"?"+query.Encode(), "", nil, &out)
	return out.Dropped, err
}

// Redrive handles up to 100 dead letters again, in the given order, on the module in
// service or, if there are bytes, on another one. A dry run keeps nothing of it.
func (c *Client) Redrive(ctx context.Context, name string, seqs []uint64, module []byte, dry bool) ([]wire.Redriven, error) {
	var out wire.Redrive
	query := url.Values{"seq": {joinSeqs(seqs)}, "dry_run": {strconv.FormatBool(dry)}}
	contentType := ""
	if len(module) > 0 {
		contentType = "application/wasm"
	}
	err := c.do(ctx, http.MethodPost, lettersPath(name)+"/redrive?"+query.Encode(), contentType, module, &out)
	return out.Redriven, err
}
