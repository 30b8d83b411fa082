package e2earea

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/avx-platform/avxrt/abi"
)

const (
	topic = "bench.event"
	batch = 256 // events of one publish
	names = 16  // counters
)

// counters is what the subscriber keeps.
type counters map[string]int64

// work makes batches of events that say "add c7 3": the number is to be added to the counter.
// They are the same in every run.
func work(batches int) [][]abi.Event {
	rng := rand.New(rand.NewPCG(3, 4))
	out := make([][]abi.Event, batches)
	for i := range out {
		out[i] = make([]abi.Event, batch)
		for j := range out[i] {
			out[i][j] = abi.Event{Topic: topic, Key: fmt.Sprintf("key-%d", rng.IntN(1000)), Source: "/bench", Time: 1,
				Data: fmt.Appendf(nil, "add c%d %d", rng.IntN(names), 1+rng.IntN(9))}
		}
	}
	return out
}

var errText = errors.New(`the event does not say "add <name> <number>"`)

// parse reads what an event says, as the guest does. The name is a view into data.
func parse(data []byte) (name []byte, n int64, err error) {
	rest, ok := bytes.CutPrefix(data, []byte("add "))
	name, number, found := bytes.Cut(rest, []byte(" "))
	if !ok || !found {
		return nil, 0, errText
	}
	n, err = strconv.ParseInt(string(number), 10, 64)
	return name, n, err
}

// add adds what one event says, so many times.
func (c counters) add(data []byte, times int64) error {
	name, n, err := parse(data)
	if err != nil {
		return err
	}
	c[string(name)] += n * times
	return nil
}

func (c counters) addAll(evs []abi.Event, times int64) {
	for i := range evs {
		if times > 0 {
			_ = c.add(evs[i].Data, times) // work's own text
		}
	}
}
