package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/wire"
)

// redrivePiece is how many dead letters one request names.
const redrivePiece = 50

func (a *app) dlqRedrive() *cobra.Command {
	var which letterFlags
	var dry bool
	var rate float64
	var module string
	cmd := &cobra.Command{
		Use: "redrive NAME [SEQ...]", Short: "Handle dead letters again",
		Long: `Handle dead letters again: those that are named, or that the flags mean, or all. Each runs alone, on a
fresh instance, between two runs of the subscriber. If it succeeds, its state and emits and the end of the
letter are one commit; if not, the letter stays, with one attempt more. With --dry-run nothing is kept.

Exit code 1: some failed again, or could not be run.`,
		Example: "  avxrt dlq redrive inventory 17 18\n  avxrt dlq redrive inventory --fingerprint 636e86 --dry-run --module fixed.wasm\n" +
			"  avxrt dlq redrive inventory --rate 50",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if rate != 0 && !(rate >= leastRate && rate <= mostRate) { // NaN is neither
				return &usageError{fmt.Errorf("--rate %g: use 0.001 to 1000000, or 0 for as many as go", rate)}
			}
			if err := which.read(args[1:]); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			r := redriving{c: c, name: args[0], dry: dry, rate: rate}
			if module != "" {
				if r.module, err = os.ReadFile(module); err != nil {
					return err
				}
			}
			seqs, err := meant(cmd.Context(), c, args[0], which.LetterFilter)
			if err != nil {
				return err
			}
			bar := a.progress(int64(len(seqs)))
			out, err := r.run(cmd.Context(), seqs, bar.add)
			bar.done()
			if listErr := list(a, out, "SEQ OUTCOME REASON ATTEMPTS EMITS STATE-KEYS FUEL MESSAGE", redrivenRow); err == nil {
				err = listErr
			}
			if err != nil {
				return err
			}
			return a.sumUp(args[0], out, dry)
		},
	}
	which.flags(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "run them, and keep nothing of it")
	cmd.Flags().Float64Var(&rate, "rate", 0, "at most so many a second (default: as many as go)")
	cmd.Flags().StringVar(&module, "module", "", "run this module file, not the one in service")
	a.outputFlag(cmd)
	return cmd
}

// meant returns the seqs of the letters that a filter means; those that were named come as
// they are, so that a wrong one is told.
func meant(ctx context.Context, c *client.Client, name string, f client.LetterFilter) ([]uint64, error) {
	if len(f.Seqs) > 0 && f.Reason+f.Topic+f.Fingerprint == "" && f.Since.IsZero() {
		return f.Seqs, nil
	}
	named := f.Seqs
	f.Seqs = nil // they may be too many for a request
	letters, err := deadLetters(ctx, c, []string{name}, f)
	var seqs []uint64
	for _, d := range letters {
		if named == nil || slices.Contains(named, d.Seq) {
			seqs = append(seqs, d.Seq)
		}
	}
	return seqs, err
}

// What a second may have of letters: one in a quarter of an hour, and more than a node drives.
const (
	leastRate = 0.001
	mostRate  = 1_000_000
)

// redriving runs dead letters at a rate.
type redriving struct {
	c      *client.Client
	name   string
	module []byte
	dry    bool
	rate   float64
}

func (r *redriving) run(ctx context.Context, seqs []uint64, progress func(int)) (out []wire.Redriven, err error) {
	piece := redrivePiece
	var tick <-chan time.Time
	if r.rate > 0 {
		piece = 1
		ticker := time.NewTicker(time.Duration(float64(time.Second) / r.rate))
		defer ticker.Stop()
		tick = ticker.C
	}
	for len(seqs) > 0 {
		n := min(piece, len(seqs))
		got, err := r.c.Redrive(ctx, r.name, seqs[:n], r.module, r.dry)
		out = append(out, got...)
		if err != nil {
			return out, err
		}
		progress(n)
		if seqs = seqs[n:]; tick == nil || len(seqs) == 0 {
			continue
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return out, ctx.Err()
		}
	}
	return out, nil
}

func redrivenRow(d wire.Redriven) []string {
	topics := make([]string, 0, len(d.Emits))
	for topic, n := range d.Emits {
		topics = append(topics, fmt.Sprintf("%s:%d", topic, n))
	}
	slices.Sort(topics)
	if d.Dropped > 0 {
		topics = append(topics, fmt.Sprintf("dropped:%d", d.Dropped))
	}
	return []string{
		strconv.FormatUint(d.Seq, 10), d.Outcome, d.Reason, strconv.Itoa(d.Attempts), strings.Join(topics, ","), strconv.Itoa(d.Writes),
		strconv.FormatInt(d.Fuel, 10), d.Message,
	}
}

// sumUp says what came of all of them, and what to do next.
func (a *app) sumUp(name string, out []wire.Redriven, dry bool) error {
	bad := 0
	for _, d := range out {
		if d.Outcome != "done" && d.Outcome != "skipped" {
			bad++
		}
	}
	switch {
	case len(out) == 0:
		a.none(0, "no such dead letters; avxrt dlq ls "+name+" lists them")
	case bad > 0:
		return fmt.Errorf("%d of %d dead letters were not handled; avxrt dlq ls %s --group shows why", bad, len(out), name)
	case dry:
		fmt.Fprintf(a.err, "%s would be handled; nothing was kept\nNext: the same without --dry-run\n", counted(len(out), "dead letter"))
	default:
		fmt.Fprintf(a.err, "%s handled\nNext: avxrt dlq ls %s\n", counted(len(out), "dead letter"), name)
	}
	return nil
}

func (a *app) dlqDrop() *cobra.Command {
	var which letterFlags
	var sure confirmation
	var all bool
	cmd := &cobra.Command{
		Use: "drop NAME [SEQ...]", Short: "Forget dead letters",
		Long: `Forget dead letters: those that are named, or that the flags mean, or --all. Their events stay in the
log. Keys that wait for them (on_poison = "block") go on behind them.`,
		Example: "  avxrt dlq drop inventory 17 --yes\n  avxrt dlq drop inventory --reason reject --since 1h --dry-run\n  avxrt dlq drop inventory --all --yes",
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := which.read(args[1:]); err != nil {
				return err
			}
			if which.all() != all {
				return &usageError{fmt.Errorf("say which: seqs, --reason, --topic, --since or --fingerprint, or --all alone")}
			}
			if err := sure.check("drop"); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			letters, err := deadLetters(cmd.Context(), c, args[:1], which.LetterFilter)
			if err != nil {
				return err
			}
			if !sure.dry {
				if letters, err = dropLetters(cmd.Context(), c, args[0], letters); err != nil {
					return err
				}
				fmt.Fprintf(a.err, "%s dropped\n", counted(len(letters), "dead letter"))
			}
			return list(a, letters, "SUBSCRIBER SEQ TOPIC KEY REASON ATTEMPTS TIME MESSAGE", letterRow)
		},
	}
	which.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all of them")
	sure.flags(cmd, "list those that would be forgotten, and forget none")
	a.outputFlag(cmd)
	return cmd
}

// dropLetters drops the letters and returns those that were there.
func dropLetters(ctx context.Context, c *client.Client, name string, letters []wire.DeadLetter) (gone []wire.DeadLetter, err error) {
	for piece := range slices.Chunk(letters, redrivePiece) {
		seqs := make([]uint64, len(piece))
		for i := range piece {
			seqs[i] = piece[i].Seq
		}
		dropped, err := c.DropDeadLetters(ctx, name, seqs)
		if err != nil {
			return gone, fmt.Errorf("%d were dropped, then: %w", len(gone), err)
		}
		for _, d := range piece {
			if slices.Contains(dropped, d.Seq) {
				gone = append(gone, d)
			}
		}
	}
	return gone, nil
}
