package natsd_test

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/bench/peers/natsd"
)

// TestPublishAndRead publishes each way, opens again and reads all and one subject.
func TestPublishAndRead(t *testing.T) {
	evs := make([]abi.Event, 300)
	for i := range evs {
		evs[i] = abi.Event{Topic: fmt.Sprintf("bench.topic%d", i%3), Data: fmt.Appendf(nil, "%d", i)}
	}
	for _, sync := range []bool{false, true} {
		t.Run(fmt.Sprintf("sync=%v", sync), func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, sync)
			p := s.Publisher()
			for from := 0; from < 299; from += 100 {
				if err := p.Publish(evs[from:min(from+100, 299)]); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Settle(); err != nil {
				t.Fatal(err)
			}
			if err := p.PublishOne(&evs[299]); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, sync)
			defer s.Close()
			for subject, step := range map[string]int{"": 1, "bench.topic0": 3} {
				next := 0
				err := s.Read(subject, func(m jetstream.Msg) error {
					if m.Subject() != evs[next].Topic || string(m.Data()) != string(evs[next].Data) {
						return fmt.Errorf("got %s %s, want %s %s", m.Subject(), m.Data(), evs[next].Topic, evs[next].Data)
					}
					next += step
					return nil
				})
				if err != nil || next != 300 {
					t.Errorf("%q: read up to %d: %v", subject, next, err)
				}
			}
		})
	}
}

func open(t *testing.T, dir string, sync bool) *natsd.Server {
	t.Helper()
	s, err := natsd.Open(dir, sync)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
