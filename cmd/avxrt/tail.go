package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/client"
)

// cloudEvent is the part of an event that a line shows.
type cloudEvent struct {
	Sequence string          `json:"sequence"`
	Type     string          `json:"type"`
	Subject  string          `json:"subject"`
	ID       string          `json:"id"`
	Data     json.RawMessage `json:"data"`
	Base64   string          `json:"data_base64"`
}

func (a *app) tailVerb() *cobra.Command {
	var opts client.TailOptions
	cmd := &cobra.Command{
		Use:   "tail [PATTERN…]",
		Short: "Follow the log",
		Long: `Follow the log of a node: events that are on disk, whose topic one of the patterns matches (all but
those that begin with $ without a pattern). A broken connection is made again and loses nothing.`,
		Example: "  avxrt tail\n  avxrt tail 'orders.**' --from 1\n  avxrt tail '$effect.**' --from 1 --follow=false -o jsonl",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			opts.Topics = args
			return a.tail(ctx, c, opts)
		},
	}
	cmd.Flags().Uint64Var(&opts.From, "from", 0, "first seq (0: from now on, or from the beginning with --follow=false)")
	cmd.Flags().BoolVar(&opts.Follow, "follow", true, "go on when the end is reached")
	a.outputFlag(cmd)
	return cmd
}

func (a *app) tail(ctx context.Context, c *client.Client, opts client.TailOptions) error {
	switch a.output {
	case "jsonl":
		return c.Tail(ctx, opts, func(event []byte) error {
			_, err := fmt.Fprintf(a.out, "%s\n", event)
			return err
		})
	case "table":
		lines := 0
		err := c.Tail(ctx, opts, func(event []byte) error { lines++; return a.tailLine(event) })
		if err == nil && !opts.Follow {
			a.none(lines, "no such event is in the log")
		}
		return err
	}
	return &usageError{fmt.Errorf("-o %s is not for a stream; use table or jsonl", a.output)}
}

// shownData is data that is no JSON as a line shows it: as it is where it is text.
func shownData(base64Data string) string {
	data, err := base64.StdEncoding.DecodeString(base64Data)
	if err != nil || !isText(data) {
		return fmt.Sprintf("(%s)", counted(len(data), "byte"))
	}
	return strings.TrimRight(string(data), "\r\n")
}

// isText says whether data is for people to read: UTF-8 without control characters but white space.
func isText(data []byte) bool {
	return utf8.Valid(data) && !bytes.ContainsFunc(data, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) })
}

// tailColumns are those of a line: seq, topic, key and data. Lines come one by one, so columns
// are as wide as is common, and on a terminal as it has room for them.
var tailColumns = []column{keepWhole, keepEnds, keepEnds, keepStart}

func tailWidths(room int) []int {
	if room == 0 {
		return []int{8, 24, 20, 0}
	}
	widths := []int{8, 24, 36, room} // 36: a UUID
	fit(widths, tailColumns, room)
	return widths
}

func (a *app) tailLine(event []byte) error {
	var ev cloudEvent
	if err := json.Unmarshal(event, &ev); err != nil {
		return fmt.Errorf("the node sent an event that is no JSON: %w", err)
	}
	data := string(ev.Data)
	if ev.Base64 != "" {
		data = shownData(ev.Base64)
	}
	row := []string{fmt.Sprintf("%8s", strings.TrimLeft(ev.Sequence, "0")), printable(ev.Type), printable(ev.Subject), printable(data)}
	wide := room(a.out)
	_, err := fmt.Fprintln(a.out, line(row, tailWidths(wide), tailColumns, wide > 0))
	return err
}
