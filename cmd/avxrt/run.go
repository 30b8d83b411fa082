package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/oklog/run"
	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/httpapi"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/telemetry"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// nodeFlags are the flags of the verbs that run a node.
type nodeFlags struct {
	logFormat, logLevel, portFile string
	acceptLoss                    bool
	drainWait                     time.Duration
}

func (f *nodeFlags) add(cmd *cobra.Command, level string) {
	cmd.Flags().StringVar(&f.logFormat, "log-format", "text", "text or json")
	cmd.Flags().StringVar(&f.logLevel, "log-level", level, "debug, info, warn or error")
	cmd.Flags().BoolVar(&f.acceptLoss, "accept-loss", false, "open a store from which events are missing as if they had never been; what is lost is logged and noted in the log")
	cmd.Flags().DurationVar(&f.drainWait, "drain-wait", 30*time.Second, "how long subscribers may take to finish their events after SIGTERM or ^C; then the node ends with 1")
	cmd.Flags().StringVar(&f.portFile, "port-file", "", "write the address that the node listens on to this file once it is ready")
}

func (a *app) runVerb() *cobra.Command {
	var flags nodeFlags
	cmd := &cobra.Command{
		Use:   "run [MANIFEST]",
		Short: "Run a node",
		Long: `Run a node from a manifest, avxrt.toml by default. Every key outside of [[…]] tables can be set
by the environment: AVXRT_HTTP_LISTEN stands for http.listen.

SIGTERM and ^C let every subscriber finish its event and end with 0; meanwhile /readyz answers 503. A
second one ends at once. SIGHUP reads manifest and modules again, as does a change of the files. Under
systemd, Type=notify and Type=notify-reload work.`,
		Example: "  avxrt run\n  avxrt run shop/avxrt.toml --log-format json\n  AVXRT_HTTP_LISTEN=127.0.0.1:0 avxrt run --port-file node.addr",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "avxrt.toml"
			if len(args) > 0 {
				path = args[0]
			}
			m, err := a.loadManifest(path)
			if err != nil {
				return err
			}
			return a.serve(cmd.Context(), flags, nodeOptions{manifest: m, node: runtime.Options{Manifest: path}})
		},
	}
	flags.add(cmd, "info")
	return cmd
}

// nodeOptions are what differs between run and demo.
type nodeOptions struct {
	manifest *manifest.Manifest
	node     runtime.Options
	anyPort  bool                                                                // take a free port if the manifest's is taken
	ownData  bool                                                                // the data folder is --data, whatever node.data is
	job      func(ctx context.Context, n *runtime.Runtime, address string) error // beside the node; its end is the node's
}

// serve is the composition of a node: it opens the parts, runs them as one group, and
// closes them in the opposite order. Long because it is a list.
func (a *app) serve(ctx context.Context, flags nodeFlags, opts nodeOptions) (err error) {
	format := flags.logFormat
	if format == "text" && a.live(a.err) {
		format = "lines"
	}
	logger, err := telemetry.NewLogger(a.err, format, flags.logLevel)
	if err != nil {
		return &usageError{err}
	}
	opts.node.Logger, opts.node.LookupEnv, opts.node.CompileCommand = logger, a.lookup, compileCommand()
	opts.node.Log.AcceptLoss = flags.acceptLoss
	opts.node.Log.OnFatal = func(reason string) {
		logger.Error("the store cannot keep its promises any more; start avxrt again", "reason", reason)
		os.Exit(log.ExitTryAgain)
	}
	start := time.Now()
	listener, err := a.listen(opts.manifest.HTTP.Listen, opts.anyPort)
	if err != nil {
		return err
	}
	defer listener.Close()
	node, err := runtime.Open(opts.node)
	if errors.Is(err, log.ErrLocked) && opts.ownData {
		return fmt.Errorf("%w; here that is --data", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	a.banner(listener.Addr().String(), opts.manifest, node, time.Since(start))

	var group run.Group
	d := &drain{wait: flags.drainWait, notify: newNotifier(a.lookup, logger), logger: logger, ended: make(chan struct{})}
	d.addNode(&group, ctx, node)
	d.addServer(&group, listener, httpapi.New(httpapi.Options{Runtime: node, Metrics: telemetry.Handler(node), Version: version, Logger: logger}))
	d.addSignals(&group, ctx, node)
	if opts.job != nil {
		jobCtx, stopJob := context.WithCancel(ctx)
		group.Add(func() error { return opts.job(jobCtx, node, listener.Addr().String()) }, func(error) { stopJob() })
	}
	if flags.portFile != "" {
		defer os.Remove(flags.portFile) // who waits for the next node must not read this one's address
		if err := writePort(flags.portFile, listener.Addr().String()); err != nil {
			return err
		}
	}
	d.notify.ready()
	err = group.Run()
	if errors.Is(err, errSignal) {
		if a.live(a.err) {
			fmt.Fprint(a.err, "\r") // over the ^C
		}
		fmt.Fprintln(a.err, "drained: cursors committed, log closed")
		return nil
	}
	return err
}

func (a *app) listen(address string, anyPort bool) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) && anyPort {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err == nil {
			fmt.Fprintf(a.err, "%s is taken; this node is at %s\n", address, l.Addr())
		}
		return l, err
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken by another program; stop it, or choose another address by AVXRT_HTTP_LISTEN or http.listen (%w)", address, err)
	}
	return l, err
}

func (a *app) banner(address string, m *manifest.Manifest, node *runtime.Runtime, took time.Duration) {
	subs := node.Subscribers()
	names := ""
	for _, s := range subs {
		names += " " + s.Name
	}
	fmt.Fprintf(a.err, "%s\nEvents      http://%s/v1/events\nMetrics     http://%s/metrics\nState       %s\nSubscribers %d in %v:%s\n\n",
		versionLine(), address, address, m.Node.Data, len(subs), took.Round(time.Millisecond), names)
}

// writePort writes the address so that who waits for the file never reads half of it.
func writePort(path, address string) error {
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	if err := os.WriteFile(temporary, []byte(address+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
