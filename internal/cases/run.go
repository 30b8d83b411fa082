package cases

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/internal/trial"
)

// Result is what became of one case. Its JSON is what `avxrt test -o json` lists.
type Result struct {
	File     string    `json:"file"`
	Module   string    `json:"module"`
	Digest   string    `json:"digest"`
	Case     string    `json:"case"`
	OK       bool      `json:"ok"`
	Events   int       `json:"events"`
	Fuel     int64     `json:"fuel"` // of all its events
	Seconds  float64   `json:"seconds"`
	Problems []Problem `json:"problems"`
}

// Problem is one difference between what a case says and what came out.
type Problem struct {
	Event int      `json:"event,omitempty"` // from 1; 0: of the case as a whole
	Line  int      `json:"line"`            // of the file
	What  string   `json:"what"`
	Want  []string `json:"want"` // lines that did not come
	Got   []string `json:"got"`  // lines that came instead
}

// Run runs the cases whose names match, one after another.
func Run(ctx context.Context, m *sandbox.Module, c *manifest.Cases, match func(name string) bool) ([]Result, error) {
	var out []Result
	for i := range c.Cases {
		if !match(c.Cases[i].Name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return out, err
		}
		r, err := runCase(ctx, m, c, &c.Cases[i])
		if err != nil {
			return out, err
		}
		out = append(out, r)
	}
	return out, nil
}

func runCase(ctx context.Context, m *sandbox.Module, file *manifest.Cases, c *manifest.Case) (Result, error) {
	start := time.Now()
	r := Result{File: file.File, Module: file.Module, Digest: m.Digest(), Case: c.Name, Events: len(c.Events), Problems: []Problem{}}
	opts, err := options(file, c)
	if err != nil {
		return r, err
	}
	shared, after, err := outcomes(ctx, m, file, c, opts)
	if err != nil {
		return r, err
	}
	for i := range shared {
		r.Fuel += shared[i].Fuel
		for _, p := range compare(&c.Events[i].Want, &shared[i], timeOf(&c.Events[i], i)) {
			p.Event, p.Line = i+1, c.Events[i].Line
			r.add(p)
		}
	}
	if c.After != nil {
		want, got := stateLines(c.After, texts(after))
		r.add(Problem{Line: c.Line, What: "the state after all", Want: want, Got: got})
	}
	opts.Fresh = true
	fresh, _, err := outcomes(ctx, m, file, c, opts)
	if err != nil {
		return r, err
	}
	for i := range fresh {
		want, got := difference(lines(&shared[i]), lines(&fresh[i]))
		r.add(Problem{Event: i + 1, Line: c.Events[i].Line, What: "another outcome on a fresh instance: something is kept in memory that belongs into the state", Want: want, Got: got})
	}
	r.OK, r.Seconds = len(r.Problems) == 0, time.Since(start).Round(time.Microsecond).Seconds()
	return r, nil
}

// add notes a difference, if there is one.
func (r *Result) add(p Problem) {
	if len(p.Want)+len(p.Got) > 0 {
		p.Want, p.Got = slices.Concat([]string{}, p.Want), slices.Concat([]string{}, p.Got) // lists in JSON, also when they are empty
		r.Problems = append(r.Problems, p)
	}
}

// options are the rules of the file and the state of the case.
func options(file *manifest.Cases, c *manifest.Case) (trial.Options, error) {
	spec := &file.Rules
	opts := trial.Options{Name: spec.Name, Limits: sandbox.Limits(spec.Limits), Grants: spec.Emits, Config: map[string]string{}, State: map[string][]byte{}}
	for _, config := range []map[string]string{spec.Config, c.Config} {
		for k, v := range config {
			opts.Config[k] = v
		}
	}
	for k, v := range c.State {
		key, err := trial.Bytes(k)
		if err != nil {
			return opts, fault(file, c.Line, "state", err)
		}
		if opts.State[string(key)], err = trial.Bytes(v); err != nil {
			return opts, fault(file, c.Line, "state", err)
		}
	}
	return opts, nil
}

func fault(file *manifest.Cases, line int, key string, err error) error {
	return &manifest.Error{File: file.File, Line: line, Column: 1, Key: key, Reason: err.Error()}
}

// outcomes runs the events of a case, and returns the state behind them.
func outcomes(ctx context.Context, m *sandbox.Module, file *manifest.Cases, c *manifest.Case, opts trial.Options) (out []trial.Outcome, after map[string][]byte, err error) {
	t := trial.New(m, opts)
	defer func() { err = errors.Join(err, t.Close(ctx)) }()
	for i := range c.Events {
		ev, err := event(file, &c.Events[i], i)
		if err != nil {
			return nil, nil, err
		}
		o, err := t.Handle(ctx, ev)
		if err != nil {
			return nil, nil, fault(file, c.Events[i].Line, "event", err)
		}
		out = append(out, o)
	}
	return out, t.State(), nil
}

// timeOf is the time of the i-th event of a case.
func timeOf(in *manifest.CaseEvent, i int) int64 {
	if !in.Time.IsZero() {
		return in.Time.UnixNano()
	}
	return trial.Epoch + int64(i)*int64(time.Second)
}

func event(file *manifest.Cases, in *manifest.CaseEvent, i int) (ev abi.Event, err error) {
	ev = abi.Event{
		Topic: in.Topic, Key: in.Key, ContentType: in.ContentType, ID: in.ID, Source: in.Source, Kind: in.Kind,
		Version: abi.Version(in.Version), Attempt: in.Attempt, Time: timeOf(in, i),
	}
	if in.Attempt > 1 {
		ev.Flags |= abi.FlagRedelivered
	}
	for k, v := range in.Headers {
		if ev.Headers, err = ev.Headers.Append(k, v); err != nil {
			return ev, fault(file, in.Line, "headers", err)
		}
	}
	if in.DataFile == "" {
		if ev.Data, err = trial.Bytes(in.Data); err != nil {
			return ev, fault(file, in.Line, "data", err)
		}
		return ev, nil
	}
	if ev.Data, err = readData(in.DataFile); err != nil {
		return ev, fault(file, in.Line, "data_file", err)
	}
	return ev, nil
}

// readData reads a file that may become an event.
func readData(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > abi.MaxEventBytes {
		return nil, fmt.Errorf("%s is not a regular file of at most %d bytes", path, abi.MaxEventBytes)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, abi.MaxEventBytes))
}
