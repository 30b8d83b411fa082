package logarea

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/bench/peers/harness"
	"github.com/avx-platform/avxrt/log"
)

// tiny is enough to see that the sides come to the same result.
var tiny = size{long: time.Millisecond, short: time.Millisecond, checked: 4, stored: 4}

// TestCases runs every case against every rival: the checks must find the sides equal, and
// the lines must be those that the benchmarks' page promises.
func TestCases(t *testing.T) {
	line := regexp.MustCompile(`^peer log/[a-z0-9-]+ rival=(jetstream|pebble|bbolt|tidwall)(/[a-z0-9-]+)? ours=[0-9.]+/s theirs=[0-9.]+/s ratio=[0-9.]+ spread=[0-9.]+\.\.[0-9.]+\n$`)
	rivals := map[string][]string{}
	for _, c := range cases(tiny) {
		t.Run(c.Name+"/"+c.Rival, func(t *testing.T) {
			var out strings.Builder
			if err := harness.Run(&out, []harness.Case{c}, harness.Options{Dir: t.TempDir()}); err != nil {
				t.Fatal(err)
			}
			if !line.MatchString(out.String()) {
				t.Errorf("line %q", out.String())
			}
		})
		name, _, _ := strings.Cut(c.Rival, "/")
		rivals[c.Name] = append(rivals[c.Name], name)
	}
	for _, name := range []string{"log/append-accepted", "log/append-durable-256", "log/append-durable-batch", "log/replay", "log/replay-filtered"} {
		for _, r := range []string{"jetstream", "pebble", "bbolt", "tidwall"} {
			if !slices.Contains(rivals[name], r) {
				t.Errorf("%s has no rival %s", name, r)
			}
		}
	}
}

// liar is ours, but reads something else than what was written.
type liar struct {
	store
	change func(seq uint64, topic string, data []byte, visit func(uint64, string, []byte))
}

func (l liar) replay(topic string, seqs bool, visit func(uint64, string, []byte)) error {
	return l.store.replay(topic, seqs, func(seq uint64, topic string, data []byte) { l.change(seq, topic, data, visit) })
}

// TestChecksSeeDifferences gives the checks rivals that lose, change, move or repeat events.
func TestChecksSeeDifferences(t *testing.T) {
	type visit = func(uint64, string, []byte)
	for name, test := range map[string]struct {
		want   string
		change func(seq uint64, topic string, data []byte, v visit)
	}{
		"a byte of a payload": {"the stores differ", func(seq uint64, topic string, data []byte, v visit) {
			if seq == 200 {
				data = append([]byte(nil), data...)
				data[255]++
			}
			v(seq, topic, data)
		}},
		"a topic": {"the stores differ", func(seq uint64, topic string, data []byte, v visit) {
			if seq == 200 {
				topic += "x"
			}
			v(seq, topic, data)
		}},
		"an event lost at the end": {"the stores differ", func(seq uint64, topic string, data []byte, v visit) {
			if seq != 4*batch {
				v(seq, topic, data)
			}
		}},
		"an event lost in the middle": {"seq 201 follows 199", func(seq uint64, topic string, data []byte, v visit) {
			if seq != 200 {
				v(seq, topic, data)
			}
		}},
		"an event twice": {"seq 200 follows 200", func(seq uint64, topic string, data []byte, v visit) {
			v(seq, topic, data)
			if seq == 200 {
				v(seq, topic, data)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := contender{"liar", func(dir string, d log.Durability) (store, error) {
				s, err := openOurs(dir, d)
				return liar{s, test.change}, err
			}, 1, 1}
			for _, w := range []way{appending{durability: log.Accepted}, replaying{""}} {
				err := harness.Run(&strings.Builder{}, []harness.Case{w.against("log/x", c, orders(4), tiny)}, harness.Options{Dir: t.TempDir()})
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%T: got %v, want %q", w, err, test.want)
				}
			}
		})
	}
}

// TestOrderMatters wants the check of a single writer to see two events that changed places.
func TestOrderMatters(t *testing.T) {
	evs := orders(1)
	swapped := [][]abi.Event{slices.Clone(evs[0])}
	swapped[0][3], swapped[0][4] = swapped[0][4], swapped[0][3]
	var held [2]content
	for i, evs := range [][][]abi.Event{evs, swapped} {
		s, err := appending{durability: log.Accepted}.filled(t.TempDir(), openOurs, 1, evs, 1)
		if err != nil {
			t.Fatal(err)
		}
		if held[i], err = read(s, ""); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if held[0].order == held[1].order || held[0].bag != held[1].bag {
		t.Errorf("in order %+v, swapped %+v", held[0], held[1])
	}
}

// TestEvents wants what the cases say of them: 256 bytes, 1 % of the wanted topic, the same
// in every run.
func TestEvents(t *testing.T) {
	evs, again := orders(64), orders(64)
	topicsSeen, keep := map[string]bool{}, 0
	for i := range evs {
		for j, ev := range evs[i] {
			if len(ev.Data) != 256 || string(ev.Data) != string(again[i][j].Data) || ev.Key != again[i][j].Key {
				t.Fatalf("event %d/%d: %d bytes, %s", i, j, len(ev.Data), ev.Data)
			}
			topicsSeen[ev.Topic] = true
			if ev.Topic == wanted {
				keep++
			}
		}
	}
	if share := float64(keep) / (64 * batch); len(topicsSeen) != topics || share < 0.008 || share > 0.012 {
		t.Errorf("%d topics, %.4f of the events wanted", len(topicsSeen), share)
	}
}
