package harness_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/bench/peers/harness"
)

// scripted gives the measures of its list in turn.
func scripted(measures ...harness.Measure) harness.Side {
	i := -1
	return func(string) (harness.Measure, error) {
		i++
		return measures[i%len(measures)], nil
	}
}

// took is a run that handled 1,000 things.
func took(d time.Duration) harness.Measure { return harness.Measure{Count: 1000, Took: d} }

func TestLine(t *testing.T) {
	s := time.Second
	for name, test := range map[string]struct {
		c    harness.Case
		want string
	}{
		"a rate is better when it is greater": {
			harness.Case{Name: "log/x", Rival: "pebble", Ours: scripted(took(s)), Theirs: scripted(took(2 * s))},
			"peer log/x rival=pebble ours=1000/s theirs=500/s ratio=2.00 spread=2.00..2.00\n"},
		"a time is better when it is less": {
			harness.Case{Name: "router/x", Rival: "nats/uncached", Unit: harness.Nanos,
				Ours: scripted(took(4 * time.Millisecond)), Theirs: scripted(took(time.Millisecond))},
			"peer router/x rival=nats/uncached ours=4000ns theirs=1000ns ratio=0.25 spread=0.25..0.25\n"},
		"small figures keep a digit behind the point": {
			harness.Case{Name: "wasm/x", Rival: "wazero", Unit: harness.Nanos,
				Ours: scripted(took(12_340)), Theirs: scripted(took(99_960))},
			"peer wasm/x rival=wazero ours=12.3ns theirs=100.0ns ratio=8.10 spread=8.10..8.10\n"},
		"medians of the sides, median and ends of the pairs' ratios": {
			harness.Case{Name: "log/x", Rival: "bbolt",
				Ours:   scripted(took(s), took(s/2), took(s/4), took(s), took(s)),
				Theirs: scripted(took(s), took(s), took(s), took(4*s), took(s*2))},
			"peer log/x rival=bbolt ours=1000/s theirs=1000/s ratio=2.00 spread=1.00..4.00\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := harness.Run(&out, []harness.Case{test.c}, harness.Options{Dir: t.TempDir()}); err != nil {
				t.Fatal(err)
			}
			if out.String() != test.want {
				t.Errorf("got  %swant %s", out.String(), test.want)
			}
		})
	}
}

// TestPairs sees the sides run in turn, the first changing, each in an empty folder that
// goes, and the folder of the check stay until the case is over.
func TestPairs(t *testing.T) {
	root := t.TempDir()
	var order []string
	var checked string
	side := func(name string) harness.Side {
		return func(dir string) (harness.Measure, error) {
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
				t.Errorf("the folder of %s: %v, %v", name, entries, err)
			}
			if _, err := os.Stat(filepath.Join(checked, "shared")); err != nil {
				t.Error(err)
			}
			order = append(order, name)
			return took(time.Second), os.WriteFile(filepath.Join(dir, "data"), nil, 0o600)
		}
	}
	c := harness.Case{Name: "log/x", Rival: "pebble", Ours: side("ours"), Theirs: side("theirs"),
		Check: func(dir string) error {
			order, checked = append(order, "check"), dir
			return os.WriteFile(filepath.Join(dir, "shared"), nil, 0o600)
		},
		Close: func() error { order = append(order, "close"); return nil },
	}
	// Fewer pairs than the least are the least.
	if err := harness.Run(&strings.Builder{}, []harness.Case{c}, harness.Options{Dir: root, Pairs: 1}); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields("check ours theirs theirs ours ours theirs theirs ours ours theirs close")
	if !slices.Equal(order, want) {
		t.Errorf("got  %v\nwant %v", order, want)
	}
	if left, err := os.ReadDir(root); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestNoLine wants an error that says what and where, and no line, when a comparison
// compares nothing.
func TestNoLine(t *testing.T) {
	good := scripted(took(time.Second))
	bad := errors.New("disk on fire")
	failing := func(string) (harness.Measure, error) { return took(time.Second), bad }
	for want, c := range map[string]harness.Case{
		"log/x against pebble: ours: disk on fire":                      {Ours: failing, Theirs: good},
		"log/x against pebble: theirs: disk on fire":                    {Ours: good, Theirs: failing},
		"log/x against pebble: check: disk on fire":                     {Ours: good, Theirs: good, Check: func(string) error { return bad }},
		"log/x against pebble: disk on fire":                            {Ours: good, Theirs: good, Close: func() error { return bad }},
		"log/x against pebble: theirs: handled 0 in 1s: nothing":        {Ours: good, Theirs: scripted(harness.Measure{Took: time.Second})},
		"log/x against pebble: ours: handled 9 in 0s: nothing":          {Ours: scripted(harness.Measure{Count: 9}), Theirs: good},
		"the results differ: ours handled 1000, theirs 1001":            {Ours: good, Theirs: scripted(harness.Measure{Count: 1001, Took: 1})},
		"the results differ: digest 0000000000000000 ours, 00000000000": {Ours: good, Theirs: scripted(harness.Measure{Count: 1000, Took: 1, Digest: 7})},
	} {
		c.Name, c.Rival = "log/x", "pebble"
		var out strings.Builder
		err := harness.Run(&out, []harness.Case{c}, harness.Options{Dir: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), want) || out.Len() != 0 {
			t.Errorf("%s: got %v, line %q", want, err, out.String())
		}
	}
}

func TestTimedSidesMayCountDifferently(t *testing.T) {
	c := harness.Case{Name: "log/x", Rival: "pebble", Timed: true,
		Ours: scripted(harness.Measure{Count: 3000, Took: time.Second}), Theirs: scripted(took(time.Second))}
	var out strings.Builder
	if err := harness.Run(&out, []harness.Case{c}, harness.Options{Dir: t.TempDir()}); err != nil || !strings.Contains(out.String(), "ratio=3.00") {
		t.Error(out.String(), err)
	}
	c.Theirs = scripted(harness.Measure{Count: 1000, Took: time.Second, Digest: 1})
	if err := harness.Run(&out, []harness.Case{c}, harness.Options{Dir: t.TempDir()}); err == nil {
		t.Error("different digests pass")
	}
}

func TestCloseAfterAFailedCheck(t *testing.T) {
	closed := false
	c := harness.Case{Check: func(string) error { return errors.New("no") }, Close: func() error { closed = true; return nil }}
	if err := harness.Run(&strings.Builder{}, []harness.Case{c}, harness.Options{Dir: t.TempDir()}); err == nil || !closed {
		t.Error(err, closed)
	}
}

func TestDigest(t *testing.T) {
	of := func(words ...string) harness.Digest {
		d := harness.NewDigest()
		for _, w := range words {
			d = d.Bytes([]byte(w))
		}
		return d
	}
	if of("a", "b") != of("a", "b") {
		t.Error("equal results have different digests")
	}
	for name, other := range map[string]harness.Digest{"order": of("b", "a"), "borders": of("ab"), "less": of("a"), "more": of("a", "b", ""), "numbers": harness.NewDigest().Number(1)} {
		if other == of("a", "b") {
			t.Errorf("the digest does not see %s", name)
		}
	}
}
