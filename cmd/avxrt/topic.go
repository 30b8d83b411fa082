package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/wire"
)

func (a *app) topicVerb() *cobra.Command {
	cmd := &cobra.Command{Use: "topic", Short: "Which topics meet which patterns", Args: knownVerb, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.topicMatch())
	return cmd
}

func (a *app) topicMatch() *cobra.Command {
	limit := 1000
	cmd := &cobra.Command{
		Use: "match TOPIC|PATTERN", Short: "Show who would get a topic, or which topics a pattern would match",
		Long: `For a topic: show the subscribers of a running node that an event with it would reach, with the patterns
that match, in the order of delivery. For a pattern, which has a * in it: show the topics in the node's log that it
matches; the first time that reads the topics of the whole log. With nothing to show it fails.`,
		Example: "  avxrt topic match orders.created\n  avxrt topic match 'orders.**'\n  avxrt topic match '$dlq.**' -o json",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return &usageError{errors.New("--limit must be at least 1")}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if strings.Contains(args[0], "*") {
				return a.seenTopics(cmd.Context(), c, args[0], limit)
			}
			return a.interested(cmd.Context(), c, args[0])
		},
	}
	cmd.Flags().IntVar(&limit, "limit", limit, "at most so many topics")
	a.outputFlag(cmd)
	return cmd
}

func (a *app) interested(ctx context.Context, c *client.Client, topic string) error {
	found, err := c.Interested(ctx, topic)
	if err != nil {
		return err
	}
	if len(found) == 0 && a.output == "table" {
		return fmt.Errorf("no subscriber has a pattern for %s", printable(topic))
	}
	return list(a, found, "SUBSCRIBER PATTERNS", func(in wire.Interest) []string {
		return []string{in.Subscriber, strings.Join(in.Patterns, ",")}
	})
}

func (a *app) seenTopics(ctx context.Context, c *client.Client, pattern string, limit int) error {
	var topics []string
	for after := ""; len(topics) < limit; {
		page, err := c.Topics(ctx, pattern, after, min(limit-len(topics), 1000))
		if err != nil {
			return err
		}
		if page.Incomplete && after == "" {
			fmt.Fprintln(a.err, "the log has more topics than the node keeps; some may be missing here")
		}
		if len(page.Topics) == 0 {
			break
		}
		topics = append(topics, page.Topics...)
		after = topics[len(topics)-1]
	}
	if len(topics) == 0 && a.output == "table" {
		return fmt.Errorf("no topic in the log matches %s", printable(pattern))
	}
	return list(a, topics, "TOPIC", func(topic string) []string { return []string{topic} })
}
