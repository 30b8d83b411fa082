package logarea

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/bench/peers/harness"
	"github.com/avx-platform/avxrt/log"
)

func events() []abi.Event {
	data := []byte(strings.Repeat("x", 256))
	out := make([]abi.Event, batch)
	for i := range out {
		out[i] = abi.Event{Topic: "bench.event", Key: fmt.Sprintf("key-%d", i%1000), Source: "/bench", Time: 1, Data: data}
	}
	return out
}

func fillOurs(dir string, n int, d log.Durability) (*log.Log, time.Duration, error) {
	l, err := log.Open(dir, log.Options{TailBytes: 1})
	if err != nil {
		return nil, 0, err
	}
	evs, start := events(), time.Now()
	for done := 0; done < n; done += batch {
		if _, err := l.Append(context.Background(), evs, d); err != nil {
			return nil, 0, errors.Join(err, l.Close())
		}
	}
	return l, time.Since(start), l.Sync(context.Background())
}

func appendOurs(n int, d log.Durability) harness.Side {
	return func(dir string) (harness.Measure, error) {
		l, took, err := fillOurs(dir, n, d)
		if err != nil {
			return harness.Measure{}, err
		}
		return harness.Measure{Count: n, Took: took}, l.Close()
	}
}

func replayOurs(n int) harness.Side {
	return func(dir string) (harness.Measure, error) {
		l, _, err := fillOurs(dir, n, log.Accepted)
		if err != nil {
			return harness.Measure{}, err
		}
		start, read, digest := time.Now(), 0, harness.NewDigest()
		r := l.NewReader(log.ReadOptions{})
		var ev abi.Event
		for r.Next(&ev) {
			read++
			digest = digest.Number(uint64(ev.Seq)).Number(uint64(len(ev.Data)))
		}
		took := time.Since(start)
		return harness.Measure{Count: read, Took: took, Digest: uint64(digest)}, errors.Join(r.Err(), r.Close(), l.Close())
	}
}
