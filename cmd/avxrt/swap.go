package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/rehearsal"
	"github.com/avx-platform/avxrt/internal/wire"
)

func (a *app) shadowVerb() *cobra.Command {
	var file, format string
	var span client.Span
	cmd := &cobra.Command{
		Use: "shadow NAME --module FILE", Short: "Compare a module with the one in service, on real events",
		Long: `Run events of the log on the generation in service and on a module, and print what differs. Nothing
is changed: what both emit and write is thrown away. Without a span it is the events that the manifest's swap.events
asks for, the last ones that the subscriber has dealt with. Both begin with the state of then, where the undo records
reach back that far; the first line says so.

Exit code 1 says that the module would be refused: it fails an event that the present one handles, goes over its
limits, burns more than twice the fuel, or differs where swap.require forbids it.`,
		Example: `  avxrt shadow inventory --module build/inventory.wasm
  avxrt shadow inventory --module build/inventory.wasm --last 5000
  avxrt shadow inventory --module build/inventory.wasm --from 100 --to 200 -o json
  avxrt shadow inventory --module build/inventory.wasm --dead-letters`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" {
				return &usageError{errors.New("--module is missing; it names the file to compare with what runs")}
			}
			if span.To != 0 && span.To < span.From {
				return &usageError{fmt.Errorf("--to %d lies before --from %d", span.To, span.From)}
			}
			wasm, err := readModule(file)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			report, err := c.Shadow(cmd.Context(), args[0], wasm, span)
			if err != nil {
				return err
			}
			if err := a.printRehearsal(format, &report); err != nil {
				return err
			}
			if report.Refused {
				return fmt.Errorf("%s would be refused", file)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "module", "", "the module to look at")
	cmd.Flags().Uint64Var(&span.Last, "last", 0, "the last so many events that the subscriber has dealt with (default: swap.events of the manifest)")
	cmd.Flags().Uint64Var(&span.From, "from", 0, "from this seq; a few before it run too where the state of then needs them")
	cmd.Flags().Uint64Var(&span.To, "to", 0, "to this seq (default: to where the subscriber is)")
	cmd.Flags().BoolVar(&span.DeadLetters, "dead-letters", false, "the subscriber's dead letters")
	cmd.MarkFlagsMutuallyExclusive("last", "from", "dead-letters")
	cmd.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	return cmd
}

func (a *app) printRehearsal(format string, report *rehearsal.Report) error {
	switch format {
	case "text":
		return report.Write(a.out)
	case "json":
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	return unknownOutput(format, "text", "json")
}

func (a *app) deployVerb() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "deploy NAME MODULE", Short: "Put a module into service",
		Long: `Check a module, rehearse it as the manifest's swap says, and replace the file of the subscriber in
the node's plugins folder, which puts it into service between two events. Exit code 1 says that it was refused, and
that nothing has changed.`,
		Example: "  avxrt deploy inventory build/inventory.wasm --dry-run\n  avxrt deploy inventory build/inventory.wasm",
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			wasm, err := readModule(args[1])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			d, err := c.Deploy(cmd.Context(), args[0], wasm, dryRun)
			if err != nil {
				return err
			}
			if d.Report != nil {
				if err := d.Report.Write(a.out); err != nil {
					return err
				}
			}
			switch {
			case d.Report != nil && d.Report.Refused:
				return fmt.Errorf("%s was refused, and what ran goes on; see avxrt sub history %s", args[1], args[0])
			case dryRun:
				fmt.Fprintf(a.out, "%s would replace %s\n", args[1], printable(d.File))
				a.sayShared(d)
				return nil
			}
			a.sayDeployed(d)
			return nil
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check and rehearse, replace nothing")
	return cmd
}

// sayDeployed tells what is in service now, and how to get back.
func (a *app) sayDeployed(d wire.Deployment) {
	if d.Move != "" {
		fmt.Fprintf(a.out, "%s: generation %d goes on until its state is of version %d (%s; %s)\n", d.Subscriber, d.Generation, d.Version, d.Move, d.Digest)
		a.sayShared(d)
		fmt.Fprintf(a.err, "Next: avxrt sub ls --wait 10m, avxrt sub show %s\n", d.Subscriber)
		return
	}
	trial := ""
	if d.OnTrial {
		trial = ", on trial"
	}
	fmt.Fprintf(a.out, "%s: generation %d is in service from its next event on%s (%s)\n", d.Subscriber, d.Generation, trial, d.Digest)
	a.sayShared(d)
	fmt.Fprintf(a.err, "Back: avxrt rollback %s\n", d.Subscriber)
}

func (a *app) sayShared(d wire.Deployment) {
	if len(d.Shared) > 0 {
		fmt.Fprintf(a.err, "the same file is the module of %s, too\n", strings.Join(d.Shared, ", "))
	}
}

func (a *app) rollbackVerb() *cobra.Command {
	var to uint64
	cmd := &cobra.Command{
		Use: "rollback NAME", Short: "Put an earlier generation of a module back into service",
		Long: `Put the bytes of an earlier generation back into the file of the subscriber in the node's plugins
folder, which puts them into service between two events. It takes back code, not history: what was committed and
emitted stays. Without --to it is the last generation with another module than the present one.`,
		Example: "  avxrt rollback inventory\n  avxrt sub history inventory\n  avxrt rollback inventory --to 3",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			d, err := c.Rollback(cmd.Context(), args[0], to)
			if err != nil {
				return err
			}
			a.sayDeployed(d)
			return nil
		},
	}
	cmd.Flags().Uint64Var(&to, "to", 0, "number of the generation, as avxrt sub history shows it")
	return cmd
}

func (a *app) subHistory() *cobra.Command {
	cmd := &cobra.Command{
		Use: "history NAME", Short: "List the generations of a subscriber",
		Long: `List the modules that ran, or were refused, for a subscriber: who brought each, from which event on,
and what became of it.`,
		Example: "  avxrt sub history inventory\n  avxrt sub history inventory -o json",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			history, err := c.Generations(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return list(a, history, "GEN STANDING CAUSE SEQ TIME DIGEST MODULE STATE REASON", generationRow)
		},
	}
	a.outputFlag(cmd)
	return cmd
}

// digestShown is how much of a digest a list has room for.
const digestShown = 12

func generationRow(g wire.Generation) []string {
	seq := "-"
	if g.Seq != 0 {
		seq = strconv.FormatUint(g.Seq, 10)
	}
	digest := strings.TrimPrefix(g.Digest, "sha256:")
	return []string{
		strconv.Itoa(g.Number), g.Standing, g.Cause, seq, g.Time.Local().Format(time.DateTime), digest[:min(len(digest), digestShown)], g.Module,
		"v" + strconv.FormatUint(uint64(g.StateVersion), 10), g.Reason,
	}
}
