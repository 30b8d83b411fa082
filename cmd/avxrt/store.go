package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/telemetry"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/router"
)

// The verbs of this file work on a store that no node has open: a node's data folder, a
// backup or a fork.

// storeDir finds the store in a data folder; a backup is one itself.
func storeDir(dir string) string {
	if inner := filepath.Join(dir, "log"); exists(inner) {
		return inner
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// openStore opens an existing store.
func (a *app) openStore(dir string, acceptLoss bool) (*log.Log, error) {
	dir = storeDir(dir)
	if !exists(filepath.Join(dir, "HEAD")) && !exists(filepath.Join(dir, "LOCK")) {
		return nil, fmt.Errorf("%s holds no store; name a node's data folder, a backup or a fork", dir)
	}
	logger, err := telemetry.NewLogger(a.err, "text", "warn")
	if err != nil {
		return nil, err
	}
	return log.Open(dir, log.Options{VerifyEvery: -1, AcceptLoss: acceptLoss, Logger: logger})
}

// withStore opens the store, does a job and closes it.
func (a *app) withStore(dir string, acceptLoss bool, job func(*log.Log) error) (err error) {
	l, err := a.openStore(dir, acceptLoss)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return job(l)
}

// newFolder makes the folder of a store to be, unless it is there. done takes it away again if
// nothing came into it because of an error.
func newFolder(dir string) (done func(error), err error) {
	if exists(dir) {
		return func(error) {}, nil
	}
	return func(err error) {
		if err != nil {
			_ = os.Remove(dir) // it stays if there is something in it
		}
	}, os.MkdirAll(dir, 0o700)
}

func (a *app) verifyVerb() *cobra.Command {
	var acceptLoss bool
	var chain auditFlags
	cmd := &cobra.Command{
		Use: "verify DATA", Short: "Read a whole store and check it",
		Long: `Read every event and row of a store that no node has open, and check the checksums, the chain
of the log and its end. A running node verifies its log in the background by itself.

With --audit it also holds the log against the chain of digests that a subscriber with the module
audit.wasm kept, and names each event that was changed since, even where every checksum was put right.

Exit code 0: everything is as it was written. 1: something is damaged, missing or changed; each place
is named. With --accept-loss the store is opened without what is missing at its end, for ever.`,
		Example: "  avxrt verify data\n  avxrt verify /backups/monday\n  avxrt verify data --audit audit --topics '**'\n  avxrt verify data --accept-loss",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			audited, err := chain.options()
			if err != nil {
				return err
			}
			return a.withStore(args[0], acceptLoss, func(l *log.Log) error {
				bar := a.progress(int64(l.Head()))
				at := abi.Seq(0)
				report, err := l.Verify(cmd.Context(), func(seq abi.Seq) {
					bar.add(int(seq - at))
					at = seq
				})
				bar.done()
				for _, d := range report.Damage {
					fmt.Fprintln(a.out, d)
				}
				if err != nil {
					return err
				}
				if n := len(report.Damage); n > 0 {
					return fmt.Errorf("%d places are damaged", n)
				}
				fmt.Fprintf(a.out, "whole: events %d to %d in %s, %s\n", report.From, report.To, counted(report.Chunks, "chunk"), counted(report.Rows, "other row"))
				if chain.subscriber == "" {
					return nil
				}
				return a.verifyAudit(l, args[0], chain.subscriber, audited)
			})
		},
	}
	cmd.Flags().BoolVar(&acceptLoss, "accept-loss", false, "open it although events are missing at the end, and forget them")
	chain.add(cmd)
	return cmd
}

func (a *app) restoreVerb() *cobra.Command {
	return &cobra.Command{
		Use: "restore BACKUP DATA", Short: "Make a backup to the data of a node",
		Long:    "Copy a backup into an empty or new data folder and check that its end is whole. The backup stays.",
		Example: "  avxrt restore /backups/monday data",
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			from := storeDir(args[0])
			if !exists(filepath.Join(from, "HEAD")) {
				return fmt.Errorf("%s holds no backup; name the folder that avxrt backup made", args[0])
			}
			// What is copied under the hands of a node need not be whole.
			if pid, err := log.Holder(from); err != nil {
				return err
			} else if pid != 0 {
				return fmt.Errorf("%s is no backup but the store that process %d has open; make a backup of it: avxrt backup", args[0], pid)
			}
			done, err := newFolder(args[1])
			if err != nil {
				return err
			}
			defer func() { done(err) }()
			head, err := log.Restore(from, filepath.Join(args[1], "log"), log.Options{VerifyEvery: -1})
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "restored up to event %d into %s\nNext: avxrt run, with node.data = %q\n", head, args[1], args[1])
			return nil
		},
	}
}

func (a *app) forkVerb() *cobra.Command {
	var at uint64
	cmd := &cobra.Command{
		Use: "fork DATA DEST --at SEQ", Short: "Make a copy of a store as it was at a seq",
		Long: `Make a store of its own in DEST: that of DATA as it was when its head was the seq, with the
cursors, state and dead letters of then. The seq is rounded down to the end of an append. DATA must
not be open in a node; fork a backup of a running one.`,
		Example: "  avxrt backup /backups/now && avxrt fork /backups/now /tmp/yesterday --at 120000",
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(args[0], false, func(l *log.Log) (err error) {
				if !cmd.Flags().Changed("at") {
					at = uint64(l.Head())
				}
				done, err := newFolder(args[1])
				if err != nil {
					return err
				}
				defer func() { done(err) }()
				got, err := l.Fork(cmd.Context(), filepath.Join(args[1], "log"), abi.Seq(at))
				if err != nil {
					return err
				}
				note := ""
				if got != abi.Seq(at) {
					note = fmt.Sprintf(" (%d lies within an append)", at)
				}
				fmt.Fprintf(a.out, "forked at event %d%s into %s\nNext: avxrt run, with node.data = %q\n", got, note, args[1], args[1])
				return nil
			})
		},
	}
	cmd.Flags().Uint64Var(&at, "at", 0, "the seq (default: the head)")
	return cmd
}

func (a *app) exportVerb() *cobra.Command {
	var from, to uint64
	cmd := &cobra.Command{
		Use: "export DATA", Short: "Write a store's events as CloudEvents, one a line",
		Example: "  avxrt export data > events.jsonl\n  avxrt export /backups/monday --from 1000 --to 2000",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(args[0], false, func(l *log.Log) error {
				bar := a.progress(int64(l.Head()))
				at := abi.Seq(from)
				n, err := l.Export(cmd.Context(), a.out, log.ExportOptions{
					From: abi.Seq(from), To: abi.Seq(to),
					Progress: func(seq abi.Seq) { bar.add(int(seq - at)); at = seq },
				})
				bar.done()
				if err == nil {
					fmt.Fprintf(a.err, "%s\n", counted(n, "event"))
				}
				return err
			})
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 0, "first seq (default: the beginning)")
	cmd.Flags().Uint64Var(&to, "to", 0, "last seq (default: the end)")
	return cmd
}

func (a *app) importVerb() *cobra.Command {
	return &cobra.Command{
		Use: "import DATA [FILE]", Short: "Append CloudEvents, one a line, to a store",
		Long: `Append events from a file or from standard input to a store that no node has open; it is made if
it is not there. Times, ids and sources stay, seqs and versions are given anew. An import that was
cut short can be repeated: events that are among the last million are not appended again. Of a
longer file, leave out the lines that were done. To a running node, use pub.`,
		Example: "  avxrt import data events.jsonl\n  avxrt export old | avxrt import new",
		Args:    args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in := a.in
			size := int64(0)
			if len(args) > 1 {
				f, err := os.Open(args[1])
				if err != nil {
					return err
				}
				defer f.Close()
				if info, err := f.Stat(); err == nil {
					size = info.Size()
				}
				in = f
			}
			dir := args[0]
			if !exists(filepath.Join(dir, "HEAD")) {
				dir = filepath.Join(dir, "log")
			}
			l, err := log.Open(dir, log.Options{VerifyEvery: -1})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, l.Close()) }()
			bar := a.progress(size)
			report, err := l.Import(cmd.Context(), &countingReader{in, bar}, router.CheckTopic)
			bar.done()
			fmt.Fprintf(a.out, "%s appended, %d were there, %d of the host's own left out\n", counted(report.Events, "event"), report.Duplicates, report.System)
			return err
		},
	}
}
