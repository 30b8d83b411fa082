package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/audit"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/router"
)

// auditFlags are the flags of verify that concern the chain of a subscriber.
type auditFlags struct {
	subscriber string
	topics     []string
	expect     string
}

func (f *auditFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.subscriber, "audit", "", "name of the subscriber that runs audit.wasm")
	cmd.Flags().StringSliceVar(&f.topics, "topics", nil, "with --audit: patterns whose every event must be in the chain")
	cmd.Flags().StringVar(&f.expect, "expect", "", "with --audit: a link that was kept elsewhere, COUNT:LINK")
}

// options checks the flags.
func (f *auditFlags) options() (opts audit.Options, err error) {
	if f.subscriber == "" && (len(f.topics) > 0 || f.expect != "") {
		return opts, &usageError{errors.New("--topics and --expect want --audit NAME")}
	}
	if f.expect != "" {
		if opts.Expect, err = audit.ParseMark(f.expect); err != nil {
			return opts, &usageError{err}
		}
	}
	var patterns []router.Pattern
	for _, text := range f.topics {
		p, err := router.ParsePattern(text)
		if err != nil {
			return opts, &usageError{err}
		}
		patterns = append(patterns, p)
	}
	if len(patterns) > 0 {
		opts.Match = func(topic string) bool {
			return slices.ContainsFunc(patterns, func(p router.Pattern) bool { return p.Match(topic) })
		}
	}
	return opts, nil
}

// verifyAudit holds the log against the chain of a subscriber.
func (a *app) verifyAudit(l *log.Log, dir, subscriber string, opts audit.Options) error {
	report, err := audit.Check(l, subscriber, opts)
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		fmt.Fprintln(a.out, printable(f.String()))
	}
	if n := len(report.Findings); n > 0 {
		return fmt.Errorf("the chain of %s and the log differ in %s", subscriber, counted(n, "place"))
	}
	fmt.Fprintf(a.out, "the chain of %s holds up to event %d: %s, %s as they were seen, %d redacted, %d left by retention, %s\n",
		subscriber, report.Last, counted(report.Entries, "link"), counted(report.Whole, "event"), report.Redacted, report.Left, counted(report.Gaps, "gap"))
	fmt.Fprintf(a.out, "Next: keep %d:%s elsewhere, and later avxrt verify %s --audit %s --expect %d:%s\n",
		report.Entries, report.Link, dir, subscriber, report.Entries, report.Link)
	return nil
}
