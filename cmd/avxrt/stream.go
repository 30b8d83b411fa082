package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/client"
)

// countingReader tells a progress bar what is read.
type countingReader struct {
	r   io.Reader
	bar *progress
}

// Read implements io.Reader.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.bar.add(n)
	return n, err
}

func (a *app) streamVerb() *cobra.Command {
	var q client.StreamQuery
	cmd := &cobra.Command{
		Use: "stream KEY", Short: "Print the events of one key, by version",
		Long: `Print the events of the stream of a key in CloudEvents' JSON, one a line. --at shows the stream as
it was when it had that version.`,
		Example: "  avxrt stream order-123\n  avxrt stream order-123 --at 5\n  avxrt stream order-123 --reverse --limit 1",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			s, err := c.Stream(cmd.Context(), args[0], q)
			if err != nil {
				return err
			}
			for _, line := range s.Events {
				fmt.Fprintf(a.out, "%s\n", line)
			}
			return nil
		},
	}
	cmd.Flags().Uint64Var(&q.From, "from", 0, "first version")
	cmd.Flags().Uint64Var(&q.At, "at", 0, "last version")
	cmd.Flags().BoolVar(&q.Reverse, "reverse", false, "youngest first")
	cmd.Flags().IntVar(&q.Limit, "limit", 1000, "at most so many events")
	return cmd
}

func (a *app) backupVerb() *cobra.Command {
	return &cobra.Command{
		Use: "backup DEST", Short: "Copy the store of a running node",
		Long: `Copy the store of a running node into the new folder DEST on the node's machine, while everything
goes on. Files are hard-linked where DEST is on the same disk: copy it elsewhere afterwards.`,
		Example: "  avxrt backup /backups/monday\n  avxrt verify /backups/monday",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			head, err := c.Backup(cmd.Context(), dir)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "backed up to event %d in %s\nNext: avxrt verify %s\n", head, dir, dir)
			return nil
		},
	}
}

func (a *app) redactVerb() *cobra.Command {
	var reason string
	var yes bool
	cmd := &cobra.Command{
		Use: "redact SEQ --reason TEXT --yes", Short: "Erase the payload of one event for ever",
		Long: `Erase the data and headers of an event from the log, from dead letters and from the files below,
before it returns. Topic, key, id, source and times stay, and the reason is appended to the log.
It cannot be undone, and does not reach what the answer names.`,
		Example: "  avxrt redact 4711 --reason 'erasure request 12' --yes",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := strconv.ParseUint(args[0], 10, 64)
			switch {
			case err != nil:
				return &usageError{fmt.Errorf("%q is no seq", args[0])}
			case reason == "":
				return &usageError{errors.New("--reason is missing; it is kept in the log")}
			case !yes:
				return &usageError{errors.New("this cannot be undone; say --yes")}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			report, err := c.Redact(cmd.Context(), seq, reason)
			if err != nil {
				return err
			}
			if report.Found {
				fmt.Fprintf(a.out, "the payload of event %d is erased, with %d copies\n", seq, report.Copies)
			} else {
				fmt.Fprintf(a.out, "event %d had no payload any more\n", seq)
			}
			for _, place := range report.NotReached {
				fmt.Fprintln(a.out, "not reached: "+place)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it becomes part of the log")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}
