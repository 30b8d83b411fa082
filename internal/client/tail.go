package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/internal/wire"
)

// TailOptions say what to follow.
type TailOptions struct {
	Topics []string // patterns; none: all but those that begin with $
	From   uint64   // first seq; 0: from now on, or from the beginning without Follow
	Follow bool     // go on when the end is reached
}

// maxEvent bounds one line of the stream: the largest event as JSON, base64 included.
const maxEvent = 32 << 20

// reconnect is how long Tail waits before it connects again.
const reconnect = time.Second

// Tail calls fn with each event as CloudEvents JSON, valid during the call, until the
// context or, without Follow, the log ends, or fn returns an error. A broken connection is
// made again and goes on behind the last event, as is one that the node ended because it ends.
func (c *Client) Tail(ctx context.Context, opts TailOptions, fn func(event []byte) error) error {
	query := url.Values{"topics": {strings.Join(opts.Topics, ",")}, "from": {strconv.FormatUint(opts.From, 10)}, "follow": {strconv.FormatBool(opts.Follow)}}
	if len(opts.Topics) == 0 {
		query.Del("topics")
	}
	s := &stream{fn: fn}
	for {
		err := c.tailOnce(ctx, "/v1/events?"+query.Encode(), s)
		if ctx.Err() != nil {
			return nil
		}
		var broken *brokenError
		if !opts.Follow || err != nil && !errors.As(err, &broken) {
			return err
		}
		timer := time.NewTimer(reconnect)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// brokenError is a connection that ended in the middle; trying again may help.
type brokenError struct{ error }

// stream remembers where it is.
type stream struct {
	fn   func([]byte) error
	last string // id behind which it goes on: of the last event that fn got, or where the node began
	open bool   // the node was there before
}

func (c *Client) tailOnce(ctx context.Context, path string, s *stream) error {
	resp, err := c.send(ctx, http.MethodGet, path, "", nil, s.last)
	if err != nil {
		var p *wire.Problem
		if s.open && !errors.As(err, &p) {
			return &brokenError{err}
		}
		return err
	}
	s.open = true
	defer resp.Body.Close()
	lines := bufio.NewReaderSize(resp.Body, 64<<10)
	id := ""
	for {
		line, err := readLine(lines)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return &brokenError{err}
		}
		if text, ok := bytes.CutPrefix(line, []byte("id: ")); ok {
			id = string(text)
		} else if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			if err := s.fn(data); err != nil {
				return err
			}
			s.last = id
		} else if len(line) == 0 && id != "" {
			s.last = id // also without data: where a stream from now on began
		}
	}
}

// readLine reads a line of any length up to maxEvent.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if line == nil && err == nil {
			return bytes.TrimRight(part, "\r\n"), nil
		}
		if line = append(line, part...); len(line) > maxEvent {
			return nil, errors.New("an event of the stream is too long")
		}
		if err == nil {
			return bytes.TrimRight(line, "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}
