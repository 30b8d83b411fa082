package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/cloudevents"
	"github.com/avx-platform/avxrt/internal/wire"
)

// Client talks to one node. It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// New returns a client for a node at server, host:port or a URL.
func New(server string) (*Client, error) {
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("server %q is no address; write host:port, for example 127.0.0.1:7080", server)
	}
	return &Client{base: u.Scheme + "://" + u.Host, http: &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}}}, nil
}

// ErrNoNode is a server that does not listen; test with errors.Is.
var ErrNoNode = errors.New("no node answers")

// do sends a request and decodes the answer into out.
func (c *Client) do(ctx context.Context, method, path string, contentType string, body []byte, out any) error {
	resp, err := c.send(ctx, method, path, contentType, body, "")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("the answer of %s is not understood: %w", c.base, err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path, contentType string, body []byte, lastID string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return nil, fmt.Errorf("%w at %s; start one with avxrt run, or name it by --server", ErrNoNode, c.base)
		}
		return nil, err
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	p := &wire.Problem{Status: resp.StatusCode, Title: resp.Status}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if json.Unmarshal(text, p) != nil || p.Code == "" {
		return nil, fmt.Errorf("%s is no avxrt node: it answered %s", c.base, resp.Status)
	}
	return nil, p
}

// Publish appends events, all or none. durability "" is the node's default.
func (c *Client) Publish(ctx context.Context, events []abi.Event, durability string) ([]wire.Receipt, error) {
	body := []byte{'['}
	for i := range events {
		if i > 0 {
			body = append(body, ',')
		}
		body = cloudevents.AppendJSON(body, &events[i])
	}
	var out wire.Published
	path := "/v1/events?durability=" + url.QueryEscape(durability)
	err := c.do(ctx, http.MethodPost, path, cloudevents.TypeBatch, append(body, ']'), &out)
	return out.Events, err
}

// PublishPlain appends one event whose id and source the node gives.
func (c *Client) PublishPlain(ctx context.Context, topic, key, contentType string, data []byte, durability string) (wire.Receipt, error) {
	path := "/v1/topics/" + url.PathEscape(topic) + "?key=" + url.QueryEscape(key) + "&durability=" + url.QueryEscape(durability)
	var out wire.Published
	if err := c.do(ctx, http.MethodPost, path, contentType, data, &out); err != nil {
		return wire.Receipt{}, err
	}
	if len(out.Events) != 1 {
		return wire.Receipt{}, fmt.Errorf("the node answered %d receipts for one event", len(out.Events))
	}
	return out.Events[0], nil
}

// get fetches one JSON document.
func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.do(ctx, http.MethodGet, path, "", nil, out)
}

// Subscribers returns how all subscribers stand.
func (c *Client) Subscribers(ctx context.Context) ([]wire.Subscriber, error) {
	var out wire.Subscribers
	err := c.get(ctx, "/v1/subscribers", nil, &out)
	return out.Subscribers, err
}

// Subscriber returns how one subscriber stands.
func (c *Client) Subscriber(ctx context.Context, name string) (wire.Subscriber, error) {
	var out wire.Subscriber
	err := c.get(ctx, "/v1/subscribers/"+url.PathEscape(name), nil, &out)
	return out, err
}

// State returns one page of a subscriber's state, the keys with prefix above after.
func (c *Client) State(ctx context.Context, name, prefix, after string, limit int) ([]wire.StateEntry, error) {
	var out wire.State
	query := url.Values{"prefix": {prefix}, "after": {after}, "limit": {strconv.Itoa(limit)}}
	err := c.get(ctx, "/v1/subscribers/"+url.PathEscape(name)+"/state", query, &out)
	return out.Entries, err
}

// Status returns how the node stands.
func (c *Client) Status(ctx context.Context) (wire.Status, error) {
	var out wire.Status
	err := c.get(ctx, "/v1/status", nil, &out)
	return out, err
}
