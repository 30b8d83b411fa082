package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/wire"
)

func (a *app) dlqVerb() *cobra.Command {
	cmd := &cobra.Command{Use: "dlq", Short: "Events that a subscriber gave up", Args: knownVerb, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.dlqList(), a.dlqShow(), a.dlqRedrive(), a.dlqDrop())
	return cmd
}

// letterFlags are the flags that say which dead letters are meant.
type letterFlags struct {
	client.LetterFilter
	since string
}

// letterReasons are why an event may be given up.
var letterReasons = []string{"trap", "timeout", "reject", "attempts", "hops", "conflict", "killed"}

// alternatives joins words as a sentence does.
func alternatives(words []string) string {
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

func (f *letterFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.Reason, "reason", "", "only those given up for this: "+alternatives(letterReasons))
	cmd.Flags().StringVar(&f.Topic, "topic", "", "only those whose topic matches this pattern")
	cmd.Flags().StringVar(&f.since, "since", "", "only those given up since this time, or for as long: 2026-11-25T08:00:00Z, 90m")
	cmd.Flags().StringVar(&f.Fingerprint, "fingerprint", "", "only those of this error, as avxrt dlq ls --group shows it")
}

// read completes the filter with the seqs that were given as arguments.
func (f *letterFlags) read(seqs []string) error {
	for _, text := range seqs {
		seq, err := strconv.ParseUint(text, 10, 64)
		if err != nil || seq == 0 {
			return &usageError{fmt.Errorf("%q is no seq; avxrt dlq ls shows them", text)}
		}
		f.Seqs = append(f.Seqs, seq)
	}
	if f.Reason != "" && !slices.Contains(letterReasons, f.Reason) {
		return &usageError{fmt.Errorf("--reason %s is unknown; use %s", f.Reason, alternatives(letterReasons))}
	}
	if f.since == "" {
		return nil
	}
	if d, err := time.ParseDuration(f.since); err == nil {
		f.Since = time.Now().Add(-d)
		return nil
	}
	t, err := time.Parse(time.RFC3339, f.since)
	if err != nil {
		return &usageError{fmt.Errorf("--since %s: use a time as 2026-11-25T08:00:00Z, or a duration as 90m", f.since)}
	}
	f.Since = t
	return nil
}

// all says whether the filter means every letter.
func (f *letterFlags) all() bool {
	return len(f.Seqs) == 0 && f.Reason+f.Topic+f.Fingerprint == "" && f.Since.IsZero()
}

func (a *app) dlqList() *cobra.Command {
	var which letterFlags
	var group bool
	cmd := &cobra.Command{
		Use: "ls [NAME]", Short: "List dead letters, of one subscriber or of all",
		Long: `List dead letters, of one subscriber or of all of the manifest. With --group, one line for each error:
messages that differ in numbers and ids alone are one.`,
		Example: "  avxrt dlq ls\n  avxrt dlq ls --group\n  avxrt dlq ls inventory --reason trap --since 2h -o jsonl",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := which.read(nil); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			letters, err := deadLetters(cmd.Context(), c, args, which.LetterFilter)
			if err != nil {
				return err
			}
			if group {
				err = list(a, groupLetters(letters), "SUBSCRIBER NUMBER REASON FIRST LAST FINGERPRINT PATTERN", groupRow)
			} else {
				err = list(a, letters, "SUBSCRIBER SEQ TOPIC KEY REASON ATTEMPTS TIME MESSAGE", letterRow)
			}
			if err == nil {
				a.none(len(letters), "no dead letters")
			}
			if err == nil && len(letters) > 0 {
				fmt.Fprintf(a.err, "Next: avxrt dlq show %s %d\n", letters[0].Subscriber, letters[0].Seq)
			}
			return err
		},
	}
	which.flags(cmd)
	cmd.Flags().BoolVar(&group, "group", false, "one line for each error")
	a.outputFlag(cmd)
	return cmd
}

func letterRow(d wire.DeadLetter) []string {
	return []string{
		d.Subscriber, strconv.FormatUint(d.Seq, 10), d.Topic, d.Key, d.Reason, strconv.Itoa(d.Attempts), d.Time.Local().Format(time.DateTime), d.Message,
	}
}

// letterGroup is the dead letters of one error.
type letterGroup struct {
	Subscriber  string    `json:"subscriber"`
	Number      int       `json:"number"`
	Reason      string    `json:"reason"`
	First       uint64    `json:"first"` // seqs
	Last        uint64    `json:"last"`
	Since       time.Time `json:"since"`
	Until       time.Time `json:"until"`
	Fingerprint string    `json:"fingerprint"`
	Pattern     string    `json:"pattern"`
}

// groupLetters makes a group of each error of a subscriber, the largest first.
func groupLetters(letters []wire.DeadLetter) []letterGroup {
	type id struct{ subscriber, fingerprint string }
	at := map[id]int{}
	var groups []letterGroup
	for _, d := range letters {
		i, ok := at[id{d.Subscriber, d.Fingerprint}]
		if !ok {
			i = len(groups)
			at[id{d.Subscriber, d.Fingerprint}] = i
			groups = append(groups, letterGroup{
				Subscriber: d.Subscriber, Reason: d.Reason, First: d.Seq, Since: d.Time, Until: d.Time, Fingerprint: d.Fingerprint, Pattern: d.Pattern,
			})
		}
		g := &groups[i]
		g.Number++
		g.Last = d.Seq
		if d.Time.Before(g.Since) {
			g.Since = d.Time
		}
		if d.Time.After(g.Until) {
			g.Until = d.Time
		}
	}
	slices.SortStableFunc(groups, func(a, b letterGroup) int { return b.Number - a.Number })
	return groups
}

func groupRow(g letterGroup) []string {
	return []string{
		g.Subscriber, strconv.Itoa(g.Number), g.Reason, strconv.FormatUint(g.First, 10), strconv.FormatUint(g.Last, 10), g.Fingerprint, g.Pattern,
	}
}

// deadLetters fetches the letters that are meant, of the named subscriber or of every one.
func deadLetters(ctx context.Context, c *client.Client, names []string, f client.LetterFilter) ([]wire.DeadLetter, error) {
	if len(names) == 0 {
		subs, err := c.Subscribers(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range subs {
			names = append(names, s.Name)
		}
	}
	const page = 1000
	var all []wire.DeadLetter
	for _, name := range names {
		for after := uint64(0); ; {
			letters, err := c.FindDeadLetters(ctx, name, f, after, page, false)
			if err != nil {
				return nil, err
			}
			all = append(all, letters...)
			if len(letters) < page {
				break
			}
			after = letters[page-1].Seq
		}
	}
	return all, nil
}

// shownLetter is a dead letter with the data of its event for people to read: an event that
// was given up often has data that is no JSON, which CloudEvents have in base64.
type shownLetter struct {
	wire.DeadLetter
	Text string `json:"data_text,omitempty"`
}

// letterText is the data of an event that has them in base64 and is text, else "".
func letterText(event json.RawMessage) string {
	var ev cloudEvent
	if err := json.Unmarshal(event, &ev); err != nil {
		return ""
	}
	if data, err := base64.StdEncoding.DecodeString(ev.Base64); err == nil && isText(data) {
		return string(data)
	}
	return ""
}

func (a *app) dlqShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME SEQ", Short: "Show one dead letter with its event, as JSON", Example: "  avxrt dlq show inventory 17", Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := strconv.ParseUint(args[1], 10, 64)
			if err != nil || seq == 0 {
				return &usageError{fmt.Errorf("%q is no seq; avxrt dlq ls shows them", args[1])}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			letters, err := c.DeadLetters(cmd.Context(), args[0], seq-1, 1, true)
			if err != nil {
				return err
			}
			if len(letters) == 0 || letters[0].Seq != seq {
				return fmt.Errorf("%s has no dead letter at seq %d; avxrt dlq ls %s shows them", args[0], seq, args[0])
			}
			if err := a.writeJSON(shownLetter{letters[0], letterText(letters[0].Event)}); err != nil {
				return err
			}
			fmt.Fprintf(a.err, "Next: avxrt dlq redrive %s %d --dry-run\n", args[0], seq)
			return nil
		},
	}
}
