package client

import (
	"context"
	"net/url"
	"strconv"
)

// Interest is a subscriber that a topic concerns.
type Interest struct {
	Subscriber string   `json:"subscriber"`
	Patterns   []string `json:"patterns"` // those that match
}

// Interested returns who would get an event with this topic.
func (c *Client) Interested(ctx context.Context, topic string) ([]Interest, error) {
	var out struct{ Subscribers []Interest }
	err := c.get(ctx, "/v1/topics/"+url.PathEscape(topic)+"/subscribers", nil, &out)
	return out.Subscribers, err
}

// Topics is a page of topics.
type Topics struct {
	Topics     []string `json:"topics"`
	Incomplete bool     `json:"incomplete"` // the log has more topics than the node keeps
}

// Topics returns a page of the topics of the log that a pattern matches, those above after.
func (c *Client) Topics(ctx context.Context, pattern, after string, limit int) (Topics, error) {
	var out Topics
	query := url.Values{"pattern": {pattern}, "after": {after}, "limit": {strconv.Itoa(limit)}}
	err := c.get(ctx, "/v1/topics", query, &out)
	return out, err
}
