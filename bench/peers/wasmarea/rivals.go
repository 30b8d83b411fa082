package wasmarea

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	extism "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"

	"github.com/avx-platform/avxrt/bench/peers/harness"
)

// extismSide calls one instance of one plugin, which is its fastest way.
func extismSide(events [][]byte, limited bool) harness.Side {
	return func(string) (harness.Measure, error) {
		ctx := context.Background()
		manifest := extism.Manifest{
			Wasm:   []extism.Wasm{extism.WasmData{Data: guest("extism")}},
			Memory: &extism.ManifestMemory{MaxPages: 256},
		}
		if limited {
			manifest.Timeout = uint64(timeLimit / time.Millisecond)
		}
		plugin, err := extism.NewPlugin(ctx, manifest, extism.PluginConfig{}, nil)
		if err != nil {
			return harness.Measure{}, err
		}
		defer plugin.Close(ctx)
		var last []byte
		start := time.Now()
		for _, data := range events {
			if _, last, err = plugin.Call("handle", data); err != nil {
				return harness.Measure{}, err
			}
		}
		return harness.Measure{Count: len(events), Took: time.Since(start), Digest: answer(last)}, nil
	}
}

// works are what the first byte of an event asks for: exported function and rounds.
var works = map[byte]struct {
	function string
	rounds   uint64
}{'b': {"bytes", 1}, 'p': {"parse", 20}, 's': {"sort", 1}, 't': {"text", 1}}

// bare calls the same work in the same module on the engine as it is, without any events
// around it, limited by its own switch or not at all.
func bare(events [][]byte, limited bool) harness.Side {
	return func(string) (harness.Measure, error) {
		ctx := context.Background()
		r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCloseOnContextDone(limited))
		defer r.Close(ctx)
		host := r.NewHostModuleBuilder("avx1")
		for _, name := range []string{"next", "emit", "reply"} {
			host = host.NewFunctionBuilder().WithFunc(func(uint32, uint32) uint32 { return 0 }).Export(name)
		}
		host = host.NewFunctionBuilder().WithFunc(func(uint32, uint32, uint32) {}).Export("fail")
		if _, err := host.Instantiate(ctx); err != nil {
			return harness.Measure{}, err
		}
		m, err := r.Instantiate(ctx, guest("ours"))
		if err != nil {
			return harness.Measure{}, err
		}
		total := uint32(0)
		start := time.Now()
		for _, data := range events {
			work := works[data[0]]
			callCtx, cancel := context.WithTimeout(ctx, timeLimit)
			got, err := m.ExportedFunction(work.function).Call(callCtx, work.rounds)
			cancel()
			if err != nil {
				return harness.Measure{}, fmt.Errorf("%s: %w", work.function, err)
			}
			total = total*16777619 + uint32(got[0])
		}
		return harness.Measure{Count: len(events), Took: time.Since(start), Digest: answer(binary.LittleEndian.AppendUint32(nil, total))}, nil
	}
}
