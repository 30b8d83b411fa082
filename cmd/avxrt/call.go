package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/trial"
	"github.com/avx-platform/avxrt/router"
)

type callFlags struct {
	ruleFlags
	topic, data, key, contentType, id, time string
	headers, state                          []string
	output                                  string
}

// callReport is what -o json prints.
type callReport struct {
	Module     string `json:"module"`
	Digest     string `json:"digest"`
	Subscriber string `json:"subscriber"`
	Manifest   string `json:"manifest,omitempty"` // "" if none was used
	Topic      string `json:"topic"`
	Key        string `json:"key,omitempty"`
	trial.Report
}

func (a *app) callVerb() *cobra.Command {
	var f callFlags
	cmd := &cobra.Command{
		Use:   "call MODULE.wasm -t TOPIC",
		Short: "Give one event to one module, without a node",
		Long: `Give one event to one module and show what comes of it: what it emits, writes and logs, what that costs
in fuel and memory, and where it traps. Nothing is kept and no node is needed. Limits, grants and config
are those of the manifest here, if it names the module; without a manifest everything may be emitted.
Exit code 1 if the event fails.`,
		Example: `  avxrt call plugins/hello.wasm -t greetings.morning -k ann -d '{"name":"Ann"}'
  avxrt call plugins/hello.wasm -t greetings.morning -d @case.json --state greetings/ann=2
  avxrt state hello -o json | avxrt call plugins/hello.wasm -t greetings.morning --state -`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.call(cmd.Context(), args[0], f) },
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&f.topic, "topic", "t", "", "the event's topic")
	cmd.Flags().StringVarP(&f.data, "data", "d", "", "the data: text, @file, or - for standard input")
	cmd.Flags().StringVarP(&f.key, "key", "k", "", "the stream that the event belongs to")
	cmd.Flags().StringVar(&f.contentType, "content-type", "application/json", "of the data")
	cmd.Flags().StringVar(&f.id, "id", "", "the event's id (default event-1)")
	cmd.Flags().StringVar(&f.time, "time", "", "the event's time, RFC 3339, which is the guest's clock (default 2026-01-01T00:00:00Z)")
	cmd.Flags().StringArrayVar(&f.headers, "header", nil, "k=v; again for more")
	cmd.Flags().StringArrayVar(&f.state, "state", nil, "what the state holds: k=v, JSON, @file, or - for standard input; again for more")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

func (a *app) call(ctx context.Context, path string, f callFlags) (err error) {
	if f.output != "text" && f.output != "json" {
		return unknownOutput(f.output, "text", "json")
	}
	ev, err := a.callEvent(f)
	if err != nil {
		return err
	}
	spec, from, err := f.rules(path)
	if err != nil {
		return err
	}
	wasm, err := readModule(path)
	if err != nil {
		return err
	}
	opts := trialOptions(spec, wasm)
	if opts.State, err = a.callState(f); err != nil {
		return err
	}
	e, done, err := newEngine(ctx, f.engine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	module, err := e.Load(ctx, path, wasm)
	if err != nil {
		return err
	}
	t := trial.New(module, opts)
	out, err := t.Handle(ctx, ev)
	if err = errors.Join(err, t.Close(ctx)); err != nil {
		return err
	}
	report := callReport{Module: path, Digest: module.Digest(), Subscriber: spec.Name, Manifest: from, Topic: ev.Topic, Key: ev.Key, Report: out.Report()}
	if f.output == "json" {
		err = a.writeJSON(report)
	} else {
		err = a.printCall(&report, ev.Time)
	}
	if err == nil && from != "" && !slices.ContainsFunc(spec.Topics, func(p router.Pattern) bool { return p.Match(ev.Topic) }) {
		fmt.Fprintf(a.err, "%s does not want %s (topics), so a node would not give it this event\n", spec.Name, printable(ev.Topic))
	}
	if err == nil && out.End != trial.Handled && out.End != trial.Skipped {
		err = fmt.Errorf("%s did not handle the event: %s: %s; %s", path, out.End, printable(out.Reason), inNode(out.End))
	}
	return err
}

// inNode says what a node does with an event that ends so.
func inNode(end trial.End) string {
	switch end {
	case trial.Retry:
		return "a node would try it again (retry)"
	case trial.Rejected:
		return "a node would keep it as a dead letter (on_poison)"
	case trial.Stopped:
		return "a node would stop the subscriber there"
	case trial.Unstarted:
		return "a node would not get it to run"
	}
	return "a node would run it once more, then keep it as a dead letter (on_poison)"
}

// callEvent is the event that the flags describe.
func (a *app) callEvent(f callFlags) (abi.Event, error) {
	if f.topic == "" {
		return abi.Event{}, &usageError{errors.New("name the event's topic (-t); see avxrt call --help")}
	}
	if f.data == "-" && slices.Contains(f.state, "-") {
		return abi.Event{}, &usageError{errors.New("standard input is either the data or the state")}
	}
	ev := abi.Event{Topic: f.topic, Key: f.key, ContentType: f.contentType, ID: f.id, Time: trial.Epoch}
	if f.time != "" {
		at, err := time.Parse(time.RFC3339Nano, f.time)
		if err != nil {
			return ev, &usageError{fmt.Errorf("--time %q is no RFC 3339 time, for example 2026-01-01T00:00:00Z", f.time)}
		}
		ev.Time = at.UnixNano()
	}
	for _, kv := range f.headers {
		k, v, ok := strings.Cut(kv, "=")
		var err error
		if ev.Headers, err = ev.Headers.Append(k, v); err != nil || !ok {
			return ev, &usageError{fmt.Errorf("--header %q: write key=value", kv)}
		}
	}
	var err error
	ev.Data, err = a.argument(f.data)
	return ev, err
}

// argument is text, @file or - for standard input.
func (a *app) argument(text string) ([]byte, error) {
	switch {
	case text == "-":
		return io.ReadAll(io.LimitReader(a.in, abi.MaxEventBytes+1))
	case strings.HasPrefix(text, "@"):
		return os.ReadFile(text[1:])
	}
	return []byte(text), nil
}

// callState is the state that the flags describe.
func (a *app) callState(f callFlags) (map[string][]byte, error) {
	state := map[string][]byte{}
	for _, given := range f.state {
		if k, v, ok := strings.Cut(given, "="); ok && given[0] != '@' && given[0] != '{' && given[0] != '[' {
			value, err := trial.Bytes(v)
			if err != nil {
				return nil, &usageError{err}
			}
			state[k] = value
			continue
		}
		text, err := a.argument(given)
		if err != nil {
			return nil, err
		}
		more, err := trial.ParseState(text)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--state %s: %v", given, err)}
		}
		for k, v := range more {
			state[k] = v
		}
	}
	return state, nil
}

// printCall writes the report for people: a line of what it cost, then what came of it.
func (a *app) printCall(r *callReport, at int64) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	line := func(name string, parts ...string) {
		text := strings.Join(parts, "  ")
		fmt.Fprintln(w, name+"\t"+printable(text))
	}
	line(string(r.End), fmt.Sprintf("%v", time.Duration(r.TookSeconds*1e9)), fmt.Sprintf("%d fuel", r.Fuel), fmt.Sprintf("%d KiB of memory", r.MemoryBytes>>10))
	if r.Reason != "" {
		line("because", r.Reason)
	}
	for _, e := range r.Emits {
		name, parts := emitLine(&e, at)
		line(name, parts...)
	}
	for _, c := range r.Changes {
		line("state", c.Key, shown(c.Before)+" → "+shown(c.After))
	}
	if r.Reply != nil {
		line("reply", *r.Reply)
	}
	for _, l := range r.Logs {
		line("log", l.Level, l.Message)
	}
	if r.Dropped > 0 {
		line("log", fmt.Sprintf("%d lines more were dropped (limits.log_lines)", r.Dropped))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	next := "avxrt inspect " + r.Module
	cases, _ := filepath.Glob("*" + manifest.CasesSuffix)
	switch {
	case r.End != trial.Handled:
		next = "mend it, avxrt build"
	case len(cases) > 0:
		next = "avxrt test"
	case r.Manifest != "":
		next = "avxrt run"
	}
	rules := "no manifest: default limits, everything may be emitted"
	if r.Manifest != "" {
		rules = fmt.Sprintf("as subscriber %s of %s", r.Subscriber, r.Manifest)
	}
	fmt.Fprintf(a.err, "%s, %s. Next: %s\n", r.Module, rules, next)
	return nil
}

// emitLine shows an emit of an event of a time.
func emitLine(e *trial.EmitReport, at int64) (name string, parts []string) {
	name = "emit"
	switch {
	case e.Cancel:
		return "timer", []string{"cancels " + e.Timer}
	case e.Due != "":
		name = "timer"
		due, _ := time.Parse(time.RFC3339Nano, e.Due)
		when := "in " + time.Duration(due.UnixNano()-at).String()
		if e.Timer != "" {
			when = e.Timer + " " + when
		}
		parts = append(parts, when)
	}
	parts = append(parts, e.Topic)
	for _, part := range []string{e.Key, e.Data} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if e.Version != 0 {
		parts = append(parts, fmt.Sprintf("as version %d", e.Version))
	}
	return name, parts
}

func shown(value *string) string {
	if value == nil {
		return "(nothing)"
	}
	return *value
}
