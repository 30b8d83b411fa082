package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// Report is what a module is, asks for, and would do to its host.
type Report struct {
	Bytes    int            `json:"bytes"`
	Digest   string         `json:"digest"`
	Verdict  string         `json:"verdict"` // "" if a node would take it, else why not
	Language string         `json:"language"`
	Tools    string         `json:"tools,omitempty"`
	Code     CodeReport     `json:"code"`
	Memory   LimitReport    `json:"memory_pages"` // of 64 KiB
	Tables   []LimitReport  `json:"tables,omitempty"`
	Imports  []ImportReport `json:"imports"`
	Exports  []NameReport   `json:"exports"`
	Features []string       `json:"features,omitempty"`
	Custom   []NameReport   `json:"custom_sections,omitempty"`
	Lines    bool           `json:"source_lines"` // traps will name source lines
	Start    bool           `json:"start_function"`

	// Sample is what it did when it was tried: its start, and one event without data.
	Sample *Sample `json:"sample,omitempty"`
}

// CodeReport is how much code there is, as it came and as it is run.
type CodeReport struct {
	Functions int `json:"functions"`
	Bytes     int `json:"bytes"`
	Largest   int `json:"largest_function"`
	Metered   int `json:"metered_bytes"` // of the whole module, rewritten
}

// LimitReport is a minimum and a maximum, 0 for none.
type LimitReport struct {
	Min uint64 `json:"min"`
	Max uint64 `json:"max,omitempty"`
}

// ImportReport is something that the module asks for.
type ImportReport struct {
	Name    string `json:"name"`
	Type    string `json:"type,omitempty"`
	Granted bool   `json:"granted"` // this host has it
}

// NameReport is an export or a section.
type NameReport struct {
	Name  string `json:"name"`
	Type  string `json:"type,omitempty"`
	Bytes int    `json:"bytes,omitempty"`
}

// Sample is what one try cost.
type Sample struct {
	StartFuel   int64  `json:"start_fuel"`
	EventFuel   int64  `json:"event_fuel"`
	MemoryBytes int64  `json:"memory_bytes"`
	Ended       string `json:"ended"` // how the event ended: "handled", "failed: …", "trapped: …"
}

// Inspect looks at a module as a node would, and tries it: its start, and one event without
// data, under the default limits. The engine decides where it is compiled.
func Inspect(ctx context.Context, e *Engine, wasm []byte) Report {
	sum := sha256.Sum256(wasm)
	r := Report{Bytes: len(wasm), Digest: "sha256:" + hex.EncodeToString(sum[:])}
	metered, err := wasmbin.Rewrite(wasm)
	if err != nil {
		r.Verdict = err.Error()
		return r
	}
	r.describe(metered)
	m, err := e.Load(ctx, "", wasm)
	if err != nil {
		r.Verdict = strings.TrimPrefix(err.Error(), "module : ")
		return r
	}
	defer m.Close(ctx)
	r.try(ctx, m)
	return r
}

func (r *Report) describe(metered *wasmbin.Rewritten) {
	info := metered.Info
	r.Language, r.Tools, r.Features, r.Lines, r.Start = language(info), info.Producers, info.Features, info.Lines, info.Start
	r.Code = CodeReport{info.Functions, info.CodeBytes, info.Largest, len(metered.Wasm)}
	r.Memory = LimitReport{info.Memory.Min, info.Memory.Max}
	for _, t := range info.Tables {
		r.Tables = append(r.Tables, LimitReport{t.Min, t.Max})
	}
	for _, imp := range info.Imports {
		name := ImportReport{Name: imp.Module + "." + imp.Name, Type: imp.Type, Granted: checkImports([]wasmbin.Import{imp}) == ""}
		r.Imports = append(r.Imports, name)
	}
	for _, e := range info.Exports {
		r.Exports = append(r.Exports, NameReport{Name: e.Name, Type: e.Type})
	}
	for _, c := range info.Custom {
		r.Custom = append(r.Custom, NameReport{Name: c.Name, Bytes: c.Bytes})
	}
}

// language guesses from what tools leave behind.
func language(info wasmbin.Info) string {
	for _, c := range info.Custom {
		if c.Name == "go:buildid" {
			return "Go"
		}
	}
	for _, i := range info.Imports {
		if i.Module == abortModule && i.Name == abortName {
			return "AssemblyScript"
		}
	}
	for _, known := range []struct{ word, name string }{
		{"TinyGo", "TinyGo"}, {"Rust", "Rust"}, {"rustc", "Rust"}, {"Zig", "Zig"}, {"C_plus_plus", "C++"}, {"C11", "C"}, {"C99", "C"}, {"clang", "C or C++"}, {"Go", "Go"},
	} {
		if strings.Contains(info.Producers, known.word) {
			return known.name
		}
	}
	return "unknown"
}

// emptyState is a store without keys.
type emptyState struct{}

// Get finds nothing.
func (emptyState) Get([]byte) ([]byte, bool, error) { return nil, false, nil }

// Scan finds nothing.
func (emptyState) Scan(_, _ []byte, _ func(key, value []byte) bool) error { return nil }

func (r *Report) try(ctx context.Context, m *Module) {
	i, err := m.Instantiate(ctx, Config{Subscriber: "inspect"}, emptyState{})
	if err != nil {
		r.Verdict = strings.TrimPrefix(err.Error(), "module : ")
		return
	}
	defer i.Close(ctx)
	r.Sample = &Sample{StartFuel: i.startFuel, Ended: "handled"}
	given := false
	result := i.Run(ctx, Batch{State: emptyState{}, Next: func() *abi.Event {
		if given {
			return nil
		}
		given = true
		return &abi.Event{Seq: 1, Topic: "inspect", Key: "inspect", Time: 1, Attempt: 1}
	}})
	r.Sample.EventFuel, r.Sample.MemoryBytes = result.Fuel, i.MemoryBytes()
	switch {
	case result.Trap != nil:
		r.Sample.Ended = "trapped: " + result.Trap.Message
	case result.Failure != nil:
		r.Sample.Ended = "failed: " + result.Failure.Message
	}
}
