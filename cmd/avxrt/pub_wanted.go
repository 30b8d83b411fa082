package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/nearest"
	"github.com/avx-platform/avxrt/internal/wire"
)

// tellUnwanted says of a topic that was published that no subscriber has a pattern for it, which
// may be a slip of the pen. The event is in the log, so a node that does not answer is no error.
func (a *app) tellUnwanted(ctx context.Context, c *client.Client, topic string) {
	found, err := c.Interested(ctx, topic)
	if err != nil || len(found) > 0 {
		return
	}
	meant := ""
	if subs, err := c.Subscribers(ctx); err == nil {
		meant = wantedTopic(topic, subs)
	}
	if meant != "" {
		meant = fmt.Sprintf("; did you mean %q?", meant)
	}
	fmt.Fprintf(a.err, "no subscriber wants %s%s\n", printable(topic), meant)
}

// wantedTopic is the topic near the one given that some subscriber wants, "" if there is none.
func wantedTopic(topic string, subs []wire.Subscriber) string {
	var wanted []string
	for _, s := range subs {
		for _, pattern := range s.Topics {
			if filled, ok := fill(pattern, topic); ok {
				wanted = append(wanted, filled)
			}
		}
	}
	return nearest.Word(topic, wanted...)
}

// fill puts the segments of a topic in the place of a pattern's wildcards. It is false where the
// pattern is longer than the topic, or has a ** that is not its end.
func fill(pattern, topic string) (string, bool) {
	segments, from := strings.Split(pattern, "."), strings.Split(topic, ".")
	for i, s := range segments {
		switch {
		case s == "**" && i == len(segments)-1 && i <= len(from):
			return strings.Join(slices.Concat(segments[:i], from[i:]), "."), true
		case s == "**" || i >= len(from) && s == "*":
			return "", false
		case s == "*":
			segments[i] = from[i]
		}
	}
	return strings.Join(segments, "."), true
}
