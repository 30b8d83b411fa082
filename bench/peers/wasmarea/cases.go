package wasmarea

import (
	"embed"
	"time"

	"github.com/avx-platform/avxrt/bench/peers/harness"
)

//go:embed guests/*.wasm
var guests embed.FS

func guest(name string) []byte {
	wasm, err := guests.ReadFile("guests/" + name + ".wasm")
	if err != nil {
		return nil // the side that needs it says so
	}
	return wasm
}

// timeLimit is what both sides give one event.
const timeLimit = 10 * time.Second

// Cases are the comparisons of the area; quick means fewer events.
func Cases(quick bool) []harness.Case {
	scale := 10
	if quick {
		scale = 1
	}
	events := handlerEvents(5_000 * scale)
	loop, ordinary := repeated("b", 60*scale), repeated("pst", 30*scale)
	return []harness.Case{
		{Name: "wasm/dispatch", Rival: "extism", Ours: ours(events), Theirs: extismSide(events, true)},
		{Name: "wasm/dispatch", Rival: "extism/unlimited", Ours: ours(events), Theirs: extismSide(events, false)},
		{Name: "wasm/loop", Rival: "wazero", Unit: harness.Nanos, Ours: ours(loop), Theirs: bare(loop, true)},
		{Name: "wasm/loop", Rival: "wazero/unlimited", Unit: harness.Nanos, Ours: ours(loop), Theirs: bare(loop, false)},
		{Name: "wasm/ordinary", Rival: "wazero", Unit: harness.Nanos, Ours: ours(ordinary), Theirs: bare(ordinary, true)},
		{Name: "wasm/ordinary", Rival: "wazero/unlimited", Unit: harness.Nanos, Ours: ours(ordinary), Theirs: bare(ordinary, false)},
	}
}

// handlerEvents are events of 256 bytes, each another.
func handlerEvents(n int) [][]byte {
	events := make([][]byte, n)
	x := uint64(1)
	for i := range events {
		events[i] = make([]byte, 256)
		for k := 1; k < len(events[i]); k++ {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			events[i][k] = byte(x)
		}
	}
	return events
}

// repeated are events that ask for each of the works in turn.
func repeated(works string, n int) [][]byte {
	events := make([][]byte, n)
	for i := range events {
		events[i] = []byte{works[i%len(works)]}
	}
	return events
}
