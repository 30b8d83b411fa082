package logarea

import (
	"fmt"
	"math/rand/v2"

	"github.com/avx-platform/avxrt/abi"
)

const (
	topics = 100
	keys   = 10_000

	// wanted is what the filtered replay keeps: 1 % of the topics, and of the events.
	wanted = "bench.topic7"
)

// orders makes batches of events with 256 bytes of JSON that compresses as orders do. They
// are the same in every run.
func orders(batches int) [][]abi.Event {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([][]abi.Event, batches)
	for i := range out {
		out[i] = make([]abi.Event, batch)
		for j := range out[i] {
			out[i][j] = abi.Event{
				Topic: fmt.Sprintf("bench.topic%d", rng.IntN(topics)), Key: fmt.Sprintf("key-%d", rng.IntN(keys)),
				Source: "/bench", Time: 1, Data: order(rng),
			}
		}
	}
	return out
}

func order(rng *rand.Rand) []byte {
	d := fmt.Appendf(make([]byte, 0, 256), `{"order":"%016x","customer":"%08x","total":%d,"sku":"SKU-%05d","note":"`,
		rng.Uint64(), rng.Uint32(), rng.IntN(100_000), rng.IntN(5000))
	for len(d) < 254 {
		d = append(d, "abcdefghijklmnopqrstuvwxyz     "[rng.IntN(31)])
	}
	return append(d, '"', '}')
}
