package client

import (
	"context"
	"net/url"
	"strconv"

	"github.com/avx-platform/avxrt/internal/wire"
)

// Interested returns who would get an event with this topic.
func (c *Client) Interested(ctx context.Context, topic string) ([]wire.Interest, error) {
	var out wire.Interests
	err := c.get(ctx, "/v1/topics/"+url.PathEscape(topic)+"/subscribers", nil, &out)
	return out.Subscribers, err
}

// Topics returns a page of the topics of the log that a pattern matches, those above after.
func (c *Client) Topics(ctx context.Context, pattern, after string, limit int) (wire.Topics, error) {
	var out wire.Topics
	query := url.Values{"pattern": {pattern}, "after": {after}, "limit": {strconv.Itoa(limit)}}
	err := c.get(ctx, "/v1/topics", query, &out)
	return out, err
}
