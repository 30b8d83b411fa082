package e2earea

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/bench/peers/harness"
)

// TestCases runs every case: both states must be what the events add up to, and the lines
// those that the benchmarks' page promises.
func TestCases(t *testing.T) {
	line := regexp.MustCompile(`^peer e2e/(accepted rival=jetstream|durable rival=jetstream/syncalways|watermill rival=watermill) ours=[0-9.]+/s theirs=[0-9.]+/s ratio=[0-9.]+ spread=[0-9.]+\.\.[0-9.]+\n$`)
	all := cases(time.Millisecond)
	if len(all) != 3 {
		t.Errorf("%d cases, want 3", len(all))
	}
	for _, c := range all {
		t.Run(c.Name, func(t *testing.T) {
			var out strings.Builder
			if err := harness.Run(&out, []harness.Case{c}, harness.Options{Dir: t.TempDir()}); err != nil {
				t.Fatal(err)
			}
			if !line.MatchString(out.String()) {
				t.Errorf("line %q", out.String())
			}
		})
	}
}

// plain is a system that counts while it publishes, and does what change says to its
// figures.
type plain struct {
	counts counters
	n      int
	change func(*plain)
}

func (p *plain) publisher() publisher { return p }
func (p *plain) settle() error        { p.change(p); return nil }
func (p *plain) Close() error         { return nil }

func (p *plain) publish(evs []abi.Event) error {
	p.n += len(evs)
	for i := range evs {
		if err := p.counts.add(evs[i].Data, 1); err != nil {
			return err
		}
	}
	return nil
}

func (p *plain) handled() (int, error)    { return p.n, nil }
func (p *plain) state() (counters, error) { return p.counts, nil }

// TestLinesSeeDifferences runs systems that count something else than what was published.
func TestLinesSeeDifferences(t *testing.T) {
	for want, change := range map[string]func(*plain){
		"":                                       func(*plain) {},
		"the subscriber's state":                 func(p *plain) { p.counts["c3"]++ },
		"events add up to":                       func(p *plain) { delete(p.counts, "c3") },
		"events were published and 1023 handled": func(p *plain) { p.n += 1023 - 512 },
	} {
		c := contender{"plain", func(string) (system, error) { return &plain{counts: counters{}, change: change}, nil }, 1}
		m, state, err := c.line(t.TempDir(), work(3), func(round int, _ time.Duration) bool { return round < 2 })
		if want == "" {
			if err != nil || m.Count != 2*batch || len(state) != names {
				t.Errorf("a system that is right: %+v, %v, %v", m, state, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestCheckComparesStates gives the check two systems that are each right, but about a
// different number of publishers' work.
func TestCheckComparesStates(t *testing.T) {
	open := func(string) (system, error) { return &plain{counts: counters{}, change: func(*plain) {}}, nil }
	side := func(publishers int) contender { return contender{"plain", open, publishers} }
	if err := side(1).check(t.TempDir(), side(1), work(8)); err != nil {
		t.Error(err)
	}
	// Nine publishers have no round at all in eight.
	if err := side(1).check(t.TempDir(), side(9), work(9)); err == nil || !strings.Contains(err.Error(), "the states differ") {
		t.Errorf("different states: %v", err)
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"add c7 3": "c7 3", "add n -12": "n -12",
		"add c7": errText.Error(), "": errText.Error(), "sub c7 3": errText.Error(), "add c7 x": `strconv.ParseInt: parsing "x": invalid syntax`,
	} {
		name, n, err := parse([]byte(text))
		got := fmt.Sprintf("%s %d", name, n)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// TestNative opens the consumer's store again after messages that were not committed: counters
// and cursor must be of the same moment.
func TestNative(t *testing.T) {
	dir := t.TempDir()
	n, err := openNative(dir)
	if err != nil {
		t.Fatal(err)
	}
	for seq := range uint64(3) {
		if err := n.handle(seq+1, []byte("add a 1")); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.commit(); err != nil || n.events.Load() != 3 {
		t.Fatal(err, n.events.Load())
	}
	if err := n.handle(4, []byte("add a 1")); err != nil { // never committed
		t.Fatal(err)
	}
	if err := n.handle(6, []byte("add a 1")); err == nil {
		t.Error("a hole in the messages passes")
	}
	if err := n.db.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err = openNative(dir); err != nil {
		t.Fatal(err)
	}
	defer n.db.Close()
	if n.seq != 3 || len(n.counts) != 1 || n.counts["a"] != 3 {
		t.Errorf("cursor %d, counters %v", n.seq, n.counts)
	}
}
