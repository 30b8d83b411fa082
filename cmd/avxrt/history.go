package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/rehearsal"
	"github.com/avx-platform/avxrt/internal/telemetry"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/router"
	"github.com/avx-platform/avxrt/runtime"
)

// historyFlags are those of a comparison over a log.
type historyFlags struct {
	from, against string
	last          int
}

func (f *historyFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.from, "from-log", "", "run the events of this log instead of cases: a data folder, a backup or a fork")
	cmd.Flags().StringVar(&f.against, "against", "", "the module to compare with")
	cmd.Flags().IntVar(&f.last, "last", 1000, "how many events, the last ones")
}

// testHistory compares two modules on the last events of a log.
func (a *app) testHistory(ctx context.Context, args []string, f testFlags) error {
	h := f.history
	switch {
	case len(args) != 1:
		return &usageError{errors.New("name one module to compare; see avxrt test --help")}
	case h.from == "" || h.against == "":
		return &usageError{errors.New("--from-log and --against go together; see avxrt test --help")}
	case h.last < 1:
		return &usageError{fmt.Errorf("--last %d: at least one event", h.last)}
	case a.output != "table" && a.output != "json":
		return unknownOutput(a.output, "table", "json")
	}
	spec, from, err := f.rules(h.against)
	if err != nil {
		return err
	}
	if from == "" {
		spec.Topics = everything()
	}
	old, err := readModule(h.against)
	if err != nil {
		return err
	}
	wasm, err := readModule(args[0])
	if err != nil {
		return err
	}
	report, err := a.compareOnFork(ctx, h, spec, old, wasm)
	if err != nil {
		return err
	}
	report.Old.Module, report.New.Module = h.against, args[0]
	if a.output == "json" {
		err = a.writeJSON(&report)
	} else {
		err = report.Write(a.out)
	}
	if err == nil && report.Refused {
		err = fmt.Errorf("%s would be refused in the place of %s: %s", args[0], h.against, strings.Join(report.Reasons, "; "))
	}
	return err
}

// compareOnFork forks the log into a folder of its own, and lets a runtime that has the old
// module there rehearse the new one. The log itself is only read.
func (a *app) compareOnFork(ctx context.Context, h historyFlags, spec manifest.Subscriber, old, wasm []byte) (report rehearsal.Report, err error) {
	dir, err := os.MkdirTemp("", "avxrt-history-")
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var span runtime.Span
	if err := a.withStore(h.from, false, func(l *log.Log) (err error) {
		if span, err = historySpan(l, &spec, h.last); err != nil {
			return err
		}
		versions, err := l.Versions(spec.Name)
		if err != nil {
			return err
		}
		spec.StateVersion = int(versions.Serving) // both run on the state that is there
		if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
			return err
		}
		_, err = l.Fork(ctx, filepath.Join(dir, "data", "log"), l.Head())
		return err
	}); err != nil {
		return report, err
	}
	const module = "old.wasm"
	if err := os.Mkdir(filepath.Join(dir, "plugins"), 0o700); err != nil {
		return report, err
	}
	if err := os.WriteFile(filepath.Join(dir, "plugins", module), old, 0o600); err != nil {
		return report, err
	}
	logger, err := telemetry.NewLogger(a.err, "text", "error")
	if err != nil {
		return report, err
	}
	r, err := runtime.Open(runtime.Options{
		ManifestText: manifestText(&spec, module, span.From), Dir: dir, CompileCommand: compileCommand(), Logger: logger, Log: log.Options{VerifyEvery: -1},
	})
	if err != nil {
		return report, err
	}
	report, err = r.Shadow(ctx, spec.Name, wasm, span)
	return report, errors.Join(err, r.Close())
}

// historySpan is the last events that the subscriber has dealt with, or of the whole log if
// the subscriber was never in it.
func historySpan(l *log.Log, spec *manifest.Subscriber, last int) (runtime.Span, error) {
	known, err := l.Generations(spec.Name)
	if err != nil || len(known) > 0 {
		return runtime.Span{Last: last}, err
	}
	span := runtime.Span{From: 1, To: l.Head()}
	back := l.NewReader(log.ReadOptions{From: l.Head(), Backward: true, Borrow: true, Match: func(topic string) bool { return matches(spec.Topics, topic) }})
	defer back.Close()
	var ev abi.Event
	for n := 0; n < last && back.Next(&ev); n++ {
		span.From = ev.Seq
	}
	return span, back.Err()
}

func matches(patterns []router.Pattern, topic string) bool {
	for _, p := range patterns {
		if p.Match(topic) {
			return true
		}
	}
	return false
}

// manifestText writes a manifest with one subscriber that runs a module, and begins at a seq if
// the store does not know it. Strings of JSON are strings of TOML.
func manifestText(spec *manifest.Subscriber, module string, begin abi.Seq) []byte {
	var b strings.Builder
	text := func(key string, value any) {
		encoded, _ := json.Marshal(value) // strings and lists of them
		fmt.Fprintf(&b, "%s = %s\n", key, encoded)
	}
	patterns := func(list []router.Pattern) []string {
		out := []string{}
		for _, p := range list {
			out = append(out, p.String())
		}
		return out
	}
	b.WriteString("[[subscriber]]\n")
	text("name", spec.Name)
	text("module", module)
	text("topics", patterns(spec.Topics))
	text("emits", patterns(spec.Emits))
	text("state_version", spec.StateVersion)
	if begin != 0 {
		text("start", fmt.Sprintf("seq:%d", begin))
	}
	if spec.Swap.Require != "" {
		fmt.Fprintf(&b, "[subscriber.swap]\n")
		text("require", spec.Swap.Require)
	}
	if l := spec.Limits; l.Fuel != 0 { // else there is no manifest, and the defaults hold
		b.WriteString("[subscriber.limits]\n")
		text("fuel", fmt.Sprint(l.Fuel))
		text("time", l.Time.String())
		text("memory", fmt.Sprint(l.Memory))
		text("emit_bytes", fmt.Sprint(l.EmitBytes))
		text("state_bytes", fmt.Sprint(l.StateBytes))
		text("depth", l.Depth)
		text("emits", l.Emits)
		text("log_lines", l.LogLines)
	}
	b.WriteString("[subscriber.config]\n")
	for k, v := range spec.Config {
		key, _ := json.Marshal(k)
		text(string(key), v)
	}
	return []byte(b.String())
}
