package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/catalogue"
	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// Exit codes; README lists them.
const exitCodes = "0 fine, 1 failed, 2 wrong call, 4 the manifest is wrong, 70 a guest could not be stopped, 75 try again"

const (
	exitFine     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitManifest = 4
	exitTryAgain = log.ExitTryAgain
)

const defaultServer = "127.0.0.1:7080"

// streams are where a verb reads and writes: data on out, all else on err.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// app is what the verbs share.
type app struct {
	streams
	lookup manifest.LookupEnv
	server string // --server
	output string // -o
	wrong  error  // of a call for help, which cobra gives no way to refuse
}

// usageError is a wrong call: exit code 2.
type usageError struct{ error }

// execute runs the program and returns its exit code.
func execute(ctx context.Context, args []string, s streams, lookup manifest.LookupEnv) int {
	out := &dataOut{w: s.out}
	s.out = out
	a := &app{streams: s, lookup: lookup}
	root := a.root()
	root.SetArgs(manifestAsVerb(root, args))
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = cmp.Or(a.wrong, out.err())
	}
	if err == nil {
		return exitFine
	}
	for line := range strings.SplitSeq(strings.TrimRight(err.Error(), "\n"), "\n") {
		if !strings.HasPrefix(line, "  ") { // what is indented belongs to the line above it
			line = "avxrt: " + line
		}
		fmt.Fprintln(s.err, line)
	}
	if code := codeOf(err); code != "" {
		fmt.Fprintln(s.err, "help: "+catalogue.Help(code))
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var usage *usageError
	var refused *runtime.ManifestError
	var wrong *manifest.Error
	var answer *wire.Problem
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &refused) && refused.Subscriber != "":
		return exitFailed // the manifest is fine, a module is not
	case errors.As(err, &refused), errors.As(err, &wrong):
		return exitManifest
	case errors.As(err, &answer) && answer.Status == http.StatusServiceUnavailable:
		return exitTryAgain // the node drains
	}
	return exitFailed
}

// manifestAsVerb makes `avxrt file.toml`, and `avxrt` where there is a manifest, mean run.
func manifestAsVerb(root *cobra.Command, args []string) []string {
	if len(args) == 0 {
		if _, err := os.Stat("avxrt.toml"); err == nil {
			return []string{"run"}
		}
		return args
	}
	if strings.HasSuffix(args[0], ".toml") {
		return append([]string{"run"}, args...)
	}
	return args
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "avxrt [MANIFEST]",
		Short: "Durable events, sandboxed WebAssembly subscribers, exactly once",
		Long: `avxrt is an event runtime: an append-only log feeds subscribers that are WebAssembly
modules. Drop a module into plugins/, name a topic pattern in avxrt.toml, and it is a durable,
sandboxed, exactly-once subscriber that can be swapped while events flow.`,
		Example: `  avxrt demo                                    see it work, nothing to install
  avxrt avxrt.toml                              run a node
  avxrt pub orders.created -d '{"order":"1"}'   publish to it
  avxrt tail 'orders.**'                        follow its log
  avxrt sub ls                                  how its subscribers stand`,
		SilenceUsage: true, SilenceErrors: true,
		Args: knownVerb,
		RunE: func(*cobra.Command, []string) error {
			return &usageError{errors.New("there is no avxrt.toml here; avxrt new NAME --lang LANGUAGE makes a project, avxrt demo shows one at work, see avxrt --help")}
		},
	}
	root.SetFlagErrorFunc(wrongFlag)
	root.PersistentFlags().StringVar(&a.server, "server", "", "address of the node (default $AVXRT_SERVER, then "+defaultServer+")")
	root.AddCommand(a.runVerb(), a.demoVerb(), a.pubVerb(), a.tailVerb(), a.subVerb(), a.stateVerb(), a.dlqVerb(), a.lintVerb(), a.inspectVerb(), a.versionVerb(),
		a.topicVerb(), a.streamVerb(), a.redactVerb(), a.backupVerb(), a.restoreVerb(), a.forkVerb(), a.verifyVerb(), a.exportVerb(), a.importVerb(), a.compileVerb(),
		a.clockVerb(), a.traceVerb(), a.shadowVerb(), a.deployVerb(), a.rollbackVerb(), a.callVerb(), a.buildVerb(), a.testVerb(), a.newVerb())
	root.AddCommand(a.errorsVerb(), a.generateVerb(), a.doctorVerb(), a.devVerb())
	completionVerb(root)
	a.completeAll(root)
	root.SetHelpCommand(helpVerb(root))
	root.SetHelpFunc(a.help)
	root.SetUsageFunc(func(cmd *cobra.Command) error { usage(cmd.OutOrStderr(), cmd); return nil })
	root.Version = version // cobra gives --version to who has one
	root.SetVersionTemplate(versionLine() + "\n")
	return root
}

// knownVerb refuses what is neither a verb below root nor a manifest.
func knownVerb(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if strings.HasSuffix(args[0], ".toml") && !root.HasParent() {
		if !exists(args[0]) {
			return &usageError{fmt.Errorf("%s does not exist; name a manifest, or make a project: avxrt new NAME --lang LANGUAGE", printable(args[0]))}
		}
		return &usageError{fmt.Errorf("the manifest comes first; write avxrt run %s, see avxrt run --help", printable(args[0]))}
	}
	if meant := nearestVerb(root, args[0]); meant != "" {
		return &usageError{fmt.Errorf("unknown verb %q; did you mean %q? See %s --help", args[0], meant, root.CommandPath())}
	}
	return &usageError{fmt.Errorf("unknown verb %q; see %s --help", args[0], root.CommandPath())}
}

// serverName is the node that the flag, the environment or the default names.
func (a *app) serverName() string {
	server := a.server
	if server == "" {
		server, _ = a.lookup("AVXRT_SERVER")
	}
	if server == "" {
		server = defaultServer
	}
	return server
}

// client talks to the node of serverName.
func (a *app) client() (*client.Client, error) {
	c, err := client.New(a.serverName())
	if err != nil {
		return nil, &usageError{err}
	}
	return c, nil
}

// args wraps cobra's checks so that a wrong number of arguments is a usage error, which shows
// how the verb is called.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			what := "these are too many arguments"
			for more := []string{"x"}; len(more) < 4; more = append(more, "x") {
				if check(cmd, slices.Concat(args, more)) == nil {
					what = "something is missing"
				}
			}
			return &usageError{fmt.Errorf("%s; write %s, see %s --help", what, strings.TrimSuffix(cmd.UseLine(), " [flags]"), cmd.CommandPath())}
		}
		return nil
	}
}
