package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/devloop"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/runtime"
)

type devFlags struct {
	nodeFlags
	data   string
	replay int
}

func (a *app) devVerb() *cobra.Command {
	var f devFlags
	cmd := &cobra.Command{
		Use:   "dev [DIR]",
		Short: "Run a node on sources: build, replay and swap at every save",
		Long: `Run a node from DIR/avxrt.toml and watch the sources of its modules, in DIR and in the folders below it,
and those of crates that a Cargo.toml takes from other folders by path.
At every save: build, run the last events through the new module beside the present one, say what differs, and
put it into service between two events. A compiler that refuses, a manifest that is wrong, or a module that fails an
event which the present one handles, leave running what runs.

State is kept in DIR/.avxrt, not in the manifest's node.data, and a free port is taken where the manifest's is in
use. Blocks about builds go to standard output, the node's log to standard error.`,
		Example: "  avxrt new fraud --lang c && cd fraud && avxrt dev\n  avxrt dev shop --replay 1000\n  avxrt dev --data /tmp/try",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			if filepath.Base(dir) == "avxrt.toml" { // the other verbs take the manifest itself
				dir = filepath.Dir(dir)
			}
			if f.replay < 0 {
				return &usageError{fmt.Errorf("--replay %d: use 0 or more events", f.replay)}
			}
			return a.dev(cmd.Context(), dir, f)
		},
	}
	f.add(cmd, "warn")
	cmd.Flags().StringVar(&f.data, "data", "", "folder of the state (default DIR/.avxrt/data)")
	cmd.Flags().IntVar(&f.replay, "replay", 100, "how many past events a new module handles before it goes into service; 0: none")
	return cmd
}

func (a *app) dev(ctx context.Context, dir string, f devFlags) error {
	path := filepath.Join(dir, "avxrt.toml")
	home, err := filepath.Abs(filepath.Join(dir, ".avxrt"))
	if err != nil {
		return err
	}
	if !exists(path) {
		return &manifest.Error{File: path, Reason: "does not exist", Hint: "name the folder that has it, or make a project: avxrt new NAME --lang LANGUAGE"}
	}
	if err := manifest.CheckEnviron(os.Environ()); err != nil {
		return err
	}
	data := filepath.Join(home, "data")
	if f.data != "" {
		if data, err = filepath.Abs(f.data); err != nil {
			return err
		}
	}
	here := *a
	here.lookup = devSettings(a.lookup, data)
	if err := makeHome(home); err != nil {
		return err
	}
	// Until the node runs, the first ^C ends the wait for sources that build.
	waiting, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	loop, err := devloop.Open(waiting, devloop.Options{
		Manifest: path, Scratch: filepath.Join(home, "build"), LookupEnv: here.lookup, Replay: f.replay, Out: a.out,
	})
	interrupted := waiting.Err() != nil
	stop()
	if err != nil || interrupted {
		if interrupted {
			return nil
		}
		return err
	}
	m, err := manifest.Load(path, here.lookup)
	if err != nil {
		return err
	}
	return here.serve(ctx, f.nodeFlags, nodeOptions{
		manifest: m, node: runtime.Options{Manifest: path}, anyPort: true, ownData: true,
		job: func(ctx context.Context, node *runtime.Runtime, address string) error {
			watched := ""
			for _, path := range loop.Watched() {
				watched += " " + relative(path)
				if strings.HasSuffix(path, string(filepath.Separator)) {
					watched += string(filepath.Separator) // a folder; relative takes it off
				}
			}
			fmt.Fprintf(a.err, "watching%s\nNext: %s pub TOPIC -d DATA, or edit and save\n\n", watched, a.avxrtAt(address))
			return loop.Run(ctx, node)
		},
	})
}

// avxrtAt is how avxrt is called so that it talks to the node at an address.
func (a *app) avxrtAt(address string) string {
	if strings.TrimPrefix(a.serverName(), "http://") == address {
		return "avxrt"
	}
	return "avxrt --server " + address
}

// devSettings are those of the environment, but for the folder of the state, which in
// production is another, and for the watch of files, which the loop does.
func devSettings(lookup manifest.LookupEnv, data string) manifest.LookupEnv {
	return func(key string) (string, bool) {
		switch key {
		case "AVXRT_NODE_DATA":
			return data, true
		case "AVXRT_PLUGINS_WATCH":
			return "false", true
		}
		return lookup(key)
	}
}

// makeHome makes the folder of the state, which is not for version control.
func makeHome(home string) error {
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	ignore := filepath.Join(home, ".gitignore")
	if exists(ignore) {
		return nil
	}
	return os.WriteFile(ignore, []byte("*\n"), 0o644)
}
