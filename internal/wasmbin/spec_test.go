package wasmbin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// specDir is where wazero's module keeps the core test suite of the specification.
func specDir(t testing.TB) string {
	file, _ := runtime.FuncForPC(reflect.ValueOf(wazero.NewRuntimeConfig).Pointer()).FileLine(0)
	dir := filepath.Join(filepath.Dir(file), "internal", "integration_test", "spectest")
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("the specification's tests are not where wazero's source says: %v", err)
	}
	return dir
}

type specFile struct {
	Commands []specCommand `json:"commands"`
}

type specCommand struct {
	Type       string     `json:"type"`
	Line       int        `json:"line"`
	Name       string     `json:"name"`
	Filename   string     `json:"filename"`
	As         string     `json:"as"`
	Action     specAction `json:"action"`
	Expected   []specVal  `json:"expected"`
	ModuleType string     `json:"module_type"`
	Text       string     `json:"text"`
}

type specAction struct {
	Type   string    `json:"type"`
	Field  string    `json:"field"`
	Module string    `json:"module"`
	Args   []specVal `json:"args"`
}

type specVal struct {
	Type  string `json:"type"`
	Lane  string `json:"lane_type"`
	Value any    `json:"value"`
}

var laneBits = map[string]int{"i8": 8, "i16": 16, "i32": 32, "f32": 32, "i64": 64, "f64": 64}

// lanes returns the value as numbers of the given widths in bits.
func (v specVal) lanes() (texts []string, bits int) {
	if v.Type != "v128" {
		text, _ := v.Value.(string)
		if v.Value == nil {
			text = "null"
		}
		bits = 64
		if strings.HasSuffix(v.Type, "32") {
			bits = 32
		}
		return []string{text}, bits
	}
	for _, l := range v.Value.([]any) {
		texts = append(texts, l.(string))
	}
	return texts, laneBits[v.Lane]
}

func number(text string, bits int, ref bool) uint64 {
	if text == "null" {
		return 0
	}
	if strings.HasPrefix(text, "-") {
		n, _ := strconv.ParseInt(text, 10, 64)
		return uint64(n) & (math.MaxUint64 >> (64 - bits))
	}
	n, _ := strconv.ParseUint(text, 10, 64)
	if ref {
		n++ // in the engine null is 0
	}
	return n
}

// words returns the value as the engine wants it.
func (v specVal) words() []uint64 {
	texts, bits := v.lanes()
	ref := v.Type == "externref"
	if v.Type != "v128" {
		return []uint64{number(texts[0], bits, ref)}
	}
	out := make([]uint64, 2)
	per := 64 / bits
	for i, text := range texts {
		out[i/per] |= number(text, bits, false) << (i % per * bits)
	}
	return out
}

// matches says whether got is what is expected. A canonical NaN is what the rewriter
// promises wherever the specification leaves a choice.
func (v specVal) matches(got []uint64) bool {
	texts, bits := v.lanes()
	per := 64 / bits
	for i, text := range texts {
		word := got[i/per]
		lane := word >> (i % per * bits) & (math.MaxUint64 >> (64 - bits))
		if strings.HasPrefix(text, "nan:") {
			canonical := uint64(0x7fc00000)
			if bits == 64 {
				canonical = 0x7ff8000000000000
			}
			sign := uint64(1) << (bits - 1)
			if lane&^sign != canonical && (text == "nan:canonical" || lane&canonical != canonical) {
				return false
			}
			continue
		}
		if v.Type == "funcref" && text != "null" || v.Type == "exnref" {
			continue
		}
		if lane != number(text, bits, v.Type == "externref") {
			return false
		}
	}
	return true
}

// specRun executes the commands of one file on one engine, rewritten or not.
type specRun struct {
	t        *testing.T
	dir      string
	ctx      context.Context
	wasm     wazero.Runtime
	rewrite  bool
	modules  map[string]api.Module
	depths   map[api.Module]int
	last     api.Module // nil: it was refused by a limit of ours
	ran      int
	refused  int
	skipped  int
	failures map[string]string
}

const plenty = 1 << 40 // fuel for a test

func (s *specRun) refill(_ context.Context, m api.Module, _ []uint64) {
	g := m.ExportedGlobal(wasmbin.MeterCounter).(api.MutableGlobal)
	x := g.Get()
	if x&(1<<(wasmbin.FuelShift-1)) != 0 {
		panic(errors.New("call stack exhausted"))
	}
	if int64(x) >= 0 {
		panic(fmt.Errorf("refill called with fuel %d", int64(x)>>wasmbin.FuelShift))
	}
	g.Set(x + plenty<<wasmbin.FuelShift)
}

func newSpecRun(t *testing.T, dir string, config wazero.RuntimeConfig, rewrite bool) *specRun {
	ctx := context.Background()
	s := &specRun{t: t, dir: dir, ctx: ctx, rewrite: rewrite, modules: map[string]api.Module{}, depths: map[api.Module]int{}, failures: map[string]string{}}
	s.wasm = wazero.NewRuntimeWithConfig(ctx, config)
	host := s.wasm.NewHostModuleBuilder(wasmbin.MeterModule)
	host = host.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(s.refill), nil, nil).Export(wasmbin.MeterRefill)
	if _, err := host.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	spectest, err := os.ReadFile(filepath.Join(specDir(t), "testdata", "spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.wasm.InstantiateWithConfig(ctx, spectest, wazero.NewModuleConfig()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *specRun) read(name string) []byte {
	b, err := os.ReadFile(filepath.Join(s.dir, "testdata", name))
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// instantiate makes a module; ours says that a limit of ours refused it.
func (s *specRun) instantiate(file, name string) (m api.Module, ours bool, err error) {
	wasm := s.read(file)
	depth := 0
	if s.rewrite {
		r, err := wasmbin.Rewrite(wasm)
		if err != nil {
			return nil, true, err
		}
		wasm, depth = r.Wasm, r.Depth
	}
	m, err = s.wasm.InstantiateWithConfig(s.ctx, wasm, wazero.NewModuleConfig().WithName(name))
	if err == nil && s.rewrite {
		s.depths[m] = depth
	}
	return m, false, err
}

func (s *specRun) fail(c specCommand, format string, args ...any) {
	s.failures[fmt.Sprintf(":%d", c.Line)] = fmt.Sprintf("line %d %s: ", c.Line, c.Type) + fmt.Sprintf(format, args...)
}

func (s *specRun) command(c specCommand) {
	switch c.Type {
	case "module":
		m, ours, err := s.instantiate(c.Filename, "")
		if s.last = m; err != nil {
			s.last = nil
			if !ours {
				s.fail(c, "%s: %v", c.Filename, err)
			}
			s.refused++
			return
		}
		if c.Name != "" {
			s.modules[c.Name] = m
		}
		s.ran++
	case "assert_invalid", "assert_malformed", "assert_unlinkable", "assert_uninstantiable":
		if c.ModuleType == "text" {
			return
		}
		if _, _, err := s.instantiate(c.Filename, ""); err == nil {
			s.fail(c, "%s is accepted: %s", c.Filename, c.Text)
		}
		s.ran++
	case "assert_return", "action", "assert_trap", "assert_exhaustion":
		s.action(c)
	}
}

func (s *specRun) action(c specCommand) {
	m := s.last
	if c.Action.Module != "" {
		m = s.modules[c.Action.Module]
	}
	if m == nil {
		s.skipped++
		return
	}
	s.ran++
	if c.Action.Type == "get" {
		if got := m.ExportedGlobal(c.Action.Field).Get(); !c.Expected[0].matches([]uint64{got}) {
			s.fail(c, "global %s is %#x", c.Action.Field, got)
		}
		return
	}
	var args []uint64
	for _, a := range c.Action.Args {
		args = append(args, a.words()...)
	}
	f := m.ExportedFunction(c.Action.Field)
	if f == nil {
		s.fail(c, "no function %s", c.Action.Field)
		return
	}
	for _, m := range s.depthsOf() {
		g := m.ExportedGlobal(wasmbin.MeterCounter).(api.MutableGlobal)
		g.Set(uint64(s.depths[m]))
	}
	got, err := f.Call(s.ctx, args...)
	if c.Type == "assert_trap" || c.Type == "assert_exhaustion" {
		if err == nil {
			s.fail(c, "%s did not trap: %s", c.Action.Field, c.Text)
		} else if c.Type == "assert_trap" && strings.Contains(c.Text, "unreachable") != strings.Contains(err.Error(), "unreachable") {
			s.fail(c, "%s: %v, want %s", c.Action.Field, err, c.Text)
		}
		return
	}
	if err != nil {
		s.fail(c, "%s: %v", c.Action.Field, err)
		return
	}
	for _, want := range c.Expected {
		n := 1
		if want.Type == "v128" {
			n = 2
		}
		if len(got) < n || !want.matches(got[:n]) {
			s.fail(c, "%s%v = %#x, want %v", c.Action.Field, c.Action.Args, got, want)
			return
		}
		got = got[n:]
	}
}

func (s *specRun) depthsOf() []api.Module {
	var out []api.Module
	for m := range s.depths {
		out = append(out, m)
	}
	return out
}

// run executes one file. Where modules are registered under names that others import, the
// name must be given when the module is made.
func (s *specRun) run(file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	var f specFile
	if err := json.Unmarshal(text, &f); err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(f.Commands); i++ {
		c := f.Commands[i]
		if c.Type == "module" && i+1 < len(f.Commands) && f.Commands[i+1].Type == "register" {
			m, ours, err := s.instantiate(c.Filename, f.Commands[i+1].As)
			if s.last = m; err != nil {
				s.last = nil
				if !ours {
					s.fail(c, "%s: %v", c.Filename, err)
				}
				s.refused++
			} else if c.Name != "" {
				s.modules[c.Name] = m
			}
			i++
			continue
		}
		s.command(c)
	}
}

// TestSpec runs the specification's core tests before the rewrite and after it, on both
// engines: whatever passes before must pass after. What a limit of ours refuses (imported
// memories, above all) is counted, and so is what fails before: this runner does not link
// modules under names that are given later, and the engine has gaps of its own.
func TestSpec(t *testing.T) {
	engines := map[string]func() wazero.RuntimeConfig{"compiler": wazero.NewRuntimeConfigCompiler, "interpreter": wazero.NewRuntimeConfigInterpreter}
	features := map[string]api.CoreFeatures{"v1": api.CoreFeaturesV1, "v2": api.CoreFeaturesV2}
	for version, features := range features {
		dir := filepath.Join(specDir(t), version)
		files, _ := filepath.Glob(filepath.Join(dir, "testdata", "*.json"))
		if len(files) < 50 {
			t.Fatalf("%d files of tests in %s", len(files), dir)
		}
		files = share(t, files)
		for engine, config := range engines {
			t.Run(version+"/"+engine, func(t *testing.T) {
				t.Parallel()
				before := runSpec(t, dir, files, config().WithCoreFeatures(features), false)
				after := runSpec(t, dir, files, config().WithCoreFeatures(features), true)
				for line, text := range after.failures {
					if _, known := before.failures[line]; !known {
						t.Errorf("%s", text)
					}
				}
				t.Logf("%d commands ran rewritten; %d modules were refused by our limits and %d commands skipped with them; %d fail with and without the rewriter",
					after.ran, after.refused, after.skipped, len(before.failures))
				if len(before.failures) > 40 || after.refused > 50 || after.ran < before.ran*95/100 {
					t.Errorf("that is too many: %d ran before", before.ran)
				}
			})
		}
	}
}

// share takes a quarter of the files in make test, all of them in make faults.
func share(t *testing.T, files []string) []string {
	if fault.Size(t, 10, 10) == 10 {
		return files
	}
	var some []string
	for i := 0; i < len(files); i += 4 {
		some = append(some, files[i])
	}
	return some
}

type specTotals struct {
	ran, refused, skipped int
	failures              map[string]string // by file and line
}

func runSpec(t *testing.T, dir string, files []string, config wazero.RuntimeConfig, rewrite bool) specTotals {
	sum := specTotals{failures: map[string]string{}}
	for _, file := range files {
		if filepath.Base(file) == "linking.json" {
			continue // it is about memories shared by import, which are refused, and what they leave behind
		}
		s := newSpecRun(t, dir, config, rewrite)
		s.run(file)
		sum.ran, sum.refused, sum.skipped = sum.ran+s.ran, sum.refused+s.refused, sum.skipped+s.skipped
		for line, f := range s.failures {
			sum.failures[filepath.Base(file)+line] = filepath.Base(file) + " " + f
		}
		if err := s.wasm.Close(s.ctx); err != nil {
			t.Error(err)
		}
	}
	return sum
}
