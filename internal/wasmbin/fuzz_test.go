package wasmbin_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// seeds adds small honest and dishonest modules.
func seeds(f *testing.F) {
	f.Add(unhex(f, tiny))
	files, _ := filepath.Glob("../../plugins/*.wasm")
	probes, _ := filepath.Glob("../sandbox/testdata/*.wasm")
	for _, path := range append(files, probes...) {
		if wasm, err := os.ReadFile(path); err == nil && len(wasm) < 64<<10 {
			f.Add(wasm)
		}
	}
	for _, version := range []string{"v1", "v2"} {
		spec, _ := filepath.Glob(filepath.Join(specDir(f), version, "testdata", "*.wasm"))
		for i := 0; i < len(spec); i += 17 {
			if wasm, err := os.ReadFile(spec[i]); err == nil && len(wasm) < 4<<10 {
				f.Add(wasm)
			}
		}
	}
}

func FuzzScan(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, wasm []byte) {
		info, err := wasmbin.Scan(wasm)
		if err == nil && len(info.Imports)+len(info.Exports) > len(wasm) {
			t.Fatalf("%d imports and exports in %d bytes", len(info.Imports)+len(info.Exports), len(wasm))
		}
		var e *wasmbin.Error
		if err != nil && (!errors.As(err, &e) || e.Section == "" || e.Remedy == "") {
			t.Fatalf("a refusal without place or remedy: %v", err)
		}
	})
}

var errOutOfFuel = errors.New("out of fuel")

// meter lets one guest burn a budget and keeps count.
type meter struct {
	left  int64 // not granted yet
	ended bool  // it ended a guest
}

const meterSlice = 1000

func (m *meter) refill(_ context.Context, guest api.Module, _ []uint64) {
	g := guest.ExportedGlobal(wasmbin.MeterCounter).(api.MutableGlobal)
	x := g.Get()
	if x&(1<<(wasmbin.FuelShift-1)) != 0 {
		m.ended = true
		panic(errors.New("too deep"))
	}
	for int64(x) < 0 {
		if m.left <= 0 {
			m.ended = true
			panic(errOutOfFuel)
		}
		grant := min(m.left, meterSlice)
		m.left -= grant
		x += uint64(grant) << wasmbin.FuelShift
	}
	g.Set(x)
}

// outcome is what running a module showed.
type outcome struct {
	cut     bool // the meter ended something
	traps   []bool
	results []uint64
	types   []api.ValueType
	fuel    int64
	memory  []byte
}

// same says whether results are the same but for the bits of NaNs, which the rewriter chooses.
func (o outcome) same(p outcome) bool {
	if !slices.Equal(o.traps, p.traps) || !slices.Equal(o.types, p.types) {
		return false
	}
	for k, t := range o.types {
		a, b := o.results[k], p.results[k]
		switch {
		case a == b || t == v128:
		case t == api.ValueTypeF32 && math.IsNaN(float64(api.DecodeF32(a))) && math.IsNaN(float64(api.DecodeF32(b))):
		case t == api.ValueTypeF64 && math.IsNaN(api.DecodeF64(a)) && math.IsNaN(api.DecodeF64(b)):
		default:
			return false
		}
	}
	return true
}

// v128 is a vector, which has two results.
const v128 = api.ValueType(0x7b)

// execute calls every export of a module with zeros, on one engine. Without a meter the module
// is one that was not rewritten, and is known to end.
func execute(t *testing.T, config wazero.RuntimeConfig, wasm []byte, metered *wasmbin.Rewritten) (out outcome, ok bool) {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, config.WithCoreFeatures(api.CoreFeaturesV2).WithMemoryLimitPages(64))
	defer rt.Close(ctx)
	m := &meter{left: 50_000}
	host := rt.NewHostModuleBuilder(wasmbin.MeterModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(m.refill), nil, nil).Export(wasmbin.MeterRefill)
	if _, err := host.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	compiled, err := rt.CompileModule(ctx, wasm)
	if err != nil {
		return out, false
	}
	guest, err := rt.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithStartFunctions())
	if err != nil {
		return out, false
	}
	g, _ := guest.ExportedGlobal(wasmbin.MeterCounter).(api.MutableGlobal)
	names := []string{}
	for name := range compiled.ExportedFunctions() {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		f := guest.ExportedFunction(name)
		m.left = 50_000
		if metered != nil {
			g.Set(uint64(metered.Depth))
		}
		params := 0
		for _, p := range f.Definition().ParamTypes() {
			params++
			if p == 0x7b {
				params++
			}
		}
		start := time.Now()
		got, err := f.Call(ctx, make([]uint64, params)...)
		if took := time.Since(start); took > time.Minute {
			t.Fatalf("%s ran for %v on 50,000 units of fuel", name, took)
		}
		out.traps = append(out.traps, err != nil)
		if err == nil {
			out.results = append(out.results, got...)
			for _, r := range f.Definition().ResultTypes() {
				out.types = append(out.types, r)
				if r == v128 {
					out.types = append(out.types, r)
				}
			}
		}
		if metered != nil {
			out.fuel += m.left + int64(g.Get())>>wasmbin.FuelShift
		}
	}
	out.cut = m.ended
	if mem := guest.Memory(); metered != nil && metered.Info.Memory.Min > 0 && mem.Size() < 1<<22 {
		b, _ := mem.Read(0, mem.Size())
		out.memory = bytes.Clone(b)
	}
	return out, true
}

// withoutCustom drops the custom sections, which the engine reads strictly and the rewriter
// leaves out. The module has been scanned.
func withoutCustom(wasm []byte) []byte {
	out := bytes.Clone(wasm[:8])
	for at := 8; at < len(wasm); {
		size, n := binary.Uvarint(wasm[at+1:])
		end := at + 1 + n + int(size)
		if wasm[at] != 0 {
			out = append(out, wasm[at:end]...)
		}
		at = end
	}
	return out
}

// FuzzRewrite: what the engine takes as it is it also takes rewritten; what is taken ends
// within its fuel, and comes to the same on both engines, and to the same as before; and nothing runs unpaid.
func FuzzRewrite(f *testing.F) {
	seeds(f)
	ctx := context.Background()
	plain := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithMemoryLimitPages(64))
	f.Cleanup(func() { plain.Close(ctx) })
	f.Fuzz(func(t *testing.T, wasm []byte) {
		r, err := wasmbin.Rewrite(wasm)
		if err != nil {
			return
		}
		start := time.Now()
		original, err := plain.CompileModule(ctx, withoutCustom(wasm))
		if err == nil {
			defer original.Close(ctx)
		}
		after, afterErr := plain.CompileModule(ctx, r.Wasm)
		if afterErr == nil {
			defer after.Close(ctx)
		}
		if (err == nil) != (afterErr == nil) {
			t.Fatalf("before: %v; after: %v", err, afterErr)
		}
		if afterErr != nil {
			return
		}
		defer func() {
			if took := time.Since(start); took > time.Minute {
				t.Errorf("that took %v", took)
			}
		}()
		interpreted, ok := execute(t, wazero.NewRuntimeConfigInterpreter(), r.Wasm, r)
		compiled, ok2 := execute(t, wazero.NewRuntimeConfigCompiler(), r.Wasm, r)
		if ok != ok2 {
			t.Fatalf("one engine starts it, the other does not")
		}
		if !slices.Equal(interpreted.traps, compiled.traps) || !slices.Equal(interpreted.results, compiled.results) ||
			interpreted.fuel != compiled.fuel || !bytes.Equal(interpreted.memory, compiled.memory) {
			t.Fatalf("interpreter: %v %x fuel %d\ncompiler: %v %x fuel %d", interpreted.traps, interpreted.results, interpreted.fuel,
				compiled.traps, compiled.results, compiled.fuel)
		}
		if ok && !interpreted.cut {
			pays(t, "it", wasm)
		}
		if !ok || interpreted.cut || slices.Contains(r.Info.Features, "reference-types") { // tables are clamped
			return
		}
		plain, ok := execute(t, wazero.NewRuntimeConfigInterpreter(), withoutCustom(wasm), nil)
		if !ok || !plain.same(interpreted) {
			t.Fatalf("before: %v %x\nafter:  %v %x", plain.traps, plain.results, interpreted.traps, interpreted.results)
		}
	})
}

// FuzzLines damages debugging information: finding a line never panics and ends.
func FuzzLines(f *testing.F) {
	wasm := readModule(f, "../sandbox/testdata/planted.wasm")
	f.Add(uint32(len(wasm)/2), byte(0xff), uint32(500))
	f.Add(uint32(len(wasm)-3000), byte(0x80), uint32(1000))
	f.Fuzz(func(t *testing.T, at uint32, value byte, offset uint32) {
		damaged := bytes.Clone(wasm)
		for k := range uint32(4) {
			damaged[(at+k*k)%uint32(len(damaged))] = value
		}
		r, err := wasmbin.Rewrite(damaged)
		if err != nil {
			return
		}
		start := time.Now()
		if lines := r.Lines(damaged); lines != nil {
			_ = lines.At(offset)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Fatalf("that took %v", took)
		}
	})
}
