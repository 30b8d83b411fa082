package abitest_test

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/internal/trial"
	"github.com/avx-platform/avxrt/router"
)

var another = flag.String("guest", "", "the absolute path of a guest that the suite runs instead of ours")

// ours are the guests of this repository and what they may leave out.
var ours = []struct {
	name, file  string
	unsupported []string // prefixes of cases
}{
	{"c", "conform-c.wasm", nil},
	{"c++", "conform-cpp.wasm", nil},
	{"rust", "conform-rust.wasm", nil},
	{"assemblyscript", "conform-as.wasm", nil},
	{"go", "", nil},
	{"wat", "raw.wasm", []string{"fields", "header", "state/add", "scan/none", "scan/all", "scan/one", "fail", "conf", "log", "now", "rand", "version",
		"conflict", "denied", "control", "timer", "json", "larger"}},
}

// TestConformance holds guests to the suite: on the compiler with one instance for all events,
// on the compiler with an instance for each, and on the interpreter. All three must come to
// the same, and both engines to the same fuel.
func TestConformance(t *testing.T) {
	if *another != "" {
		wasm, err := os.ReadFile(*another)
		if err != nil {
			t.Fatalf("%v (the path must be absolute: tests run in the folder of their package)", err)
		}
		skipped := conforms(t, wasm)
		t.Logf("%d of %d cases are unsupported%s", len(skipped), len(suite()), byTopic(skipped))
		return
	}
	for _, guest := range ours {
		t.Run(guest.name, func(t *testing.T) {
			for _, name := range conforms(t, module(t, guest.file)) {
				if !slices.ContainsFunc(guest.unsupported, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
					t.Errorf("%s: unsupported", name)
				}
			}
		})
	}
}

// byTopic lists cases a line for each topic, with some of their names: there are hundreds.
func byTopic(cases []string) string {
	const some = 6
	var topics []string
	of := map[string][]string{}
	for _, name := range cases {
		topic, rest, _ := strings.Cut(name, "/")
		if of[topic] == nil {
			topics = append(topics, topic)
		}
		of[topic] = append(of[topic], rest)
	}
	var b strings.Builder
	for _, topic := range topics {
		names, more := of[topic], ""
		if len(names) > some {
			names, more = names[:some], ", …"
		}
		fmt.Fprintf(&b, "\n%6d %s: %s%s", len(of[topic]), topic, strings.Join(names, ", "), more)
	}
	return b.String()
}

// module reads a built guest; the one in Go is too large to keep and is built.
func module(t *testing.T, file string) []byte {
	t.Helper()
	path := filepath.Join("guests", file)
	if file == "" {
		path = filepath.Join(t.TempDir(), "conform.wasm")
		build := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, "./goguest")
		build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	wasm, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// largeGuest is a guest in Go, of which an instance takes long to start.
const largeGuest = 1 << 20

// casesFor is the suite, but under the race detector a large guest is given one of eight of
// the texts that it must refuse: each costs it its instance, which that makes twenty times as slow
// to start. make faults gives it all of them.
func casesFor(wasm []byte) []given {
	all, n := suite(), 0
	if !raceEnabled || len(wasm) < largeGuest {
		return all
	}
	return slices.DeleteFunc(all, func(c given) bool {
		if !strings.HasPrefix(c.name, "json/malformed") {
			return false
		}
		n++
		return n%8 != 0
	})
}

// conforms runs the suite in each of the ways and returns the names of unsupported cases.
func conforms(t *testing.T, wasm []byte) (unsupported []string) {
	var fuel [][]int64
	cases := casesFor(wasm)
	cache := t.TempDir() // what is compiled once is enough for both ways
	for _, way := range []struct {
		name               string
		interpreter, fresh bool
	}{{"compiled", false, false}, {"fresh", false, true}, {"interpreted", true, false}} {
		t.Run(way.name, func(t *testing.T) {
			skipped, burnt := run(t, wasm, cases, sandbox.Options{Interpreter: way.interpreter, CacheDir: cache, StuckAfter: 10 * time.Minute}, way.fresh)
			if !way.fresh {
				fuel = append(fuel, burnt)
			}
			if unsupported == nil {
				unsupported = skipped
			}
			if !slices.Equal(skipped, unsupported) {
				t.Errorf("unsupported are %q, and %q otherwise", skipped, unsupported)
			}
		})
	}
	if len(fuel) == 2 && !slices.Equal(fuel[0], fuel[1]) {
		for i, c := range cases {
			if fuel[0][i] != fuel[1][i] {
				t.Errorf("%s: %d fuel on the compiler, %d on the interpreter", c.name, fuel[0][i], fuel[1][i])
			}
		}
	}
	return unsupported
}

// limitOfLost is less than the budget: an event for which a guest has no room is given up, and
// not asked for again and again.
const limitOfLost = 500_000_000

// limits let an event of 1 MiB through, and interpreters take their time.
var limits = sandbox.Limits{EmitBytes: 2 << 20, Time: time.Minute}

func run(t *testing.T, wasm []byte, cases []given, opts sandbox.Options, fresh bool) (unsupported []string, fuel []int64) {
	ctx := context.Background()
	engine, err := sandbox.NewEngine(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(ctx)
	grant, err := router.ParsePattern("out.**")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := trial.Open(ctx, engine, trial.Options{
		Module: wasm, Limits: limits, Grants: []router.Pattern{grant}, Fresh: fresh,
		Config: map[string]string{"greeting": "hällo", "nothing": "", "long": strings.Repeat("ü", 5000)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close(ctx)
	for _, c := range cases {
		out, err := tr.Handle(ctx, c.ev)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		fuel = append(fuel, out.Fuel)
		got := render(&c.ev, &out)
		switch {
		case got == "skip (unsupported)":
			unsupported = append(unsupported, c.name)
		case c.want == "lost" && out.End != trial.Handled && out.Fuel < limitOfLost:
		case got != c.want:
			t.Errorf("%s: got %s\nwant %s", c.name, got, c.want)
		}
	}
	return unsupported, fuel
}

// render tells an outcome in one line.
func render(ev *abi.Event, out *trial.Outcome) string {
	parts := []string{string(out.End)}
	if f := out.Failure; f != nil {
		if f.Code >= abi.FailApplication {
			parts[0] += fmt.Sprint(" ", f.Code)
		}
		parts[0] += " (" + out.Reason + ")"
	}
	for _, e := range out.Emits {
		parts = append(parts, renderEmit(ev, &e))
	}
	for _, w := range out.Writes {
		if w.Delete {
			parts = append(parts, "del "+string(w.Key))
		} else {
			parts = append(parts, "set "+string(w.Key)+"="+quote(w.Value))
		}
	}
	if out.Reply != nil {
		parts = append(parts, "reply "+quote(out.Reply))
	}
	if out.End != trial.Trapped { // what a language says when it ends is its own affair
		for _, l := range out.Logs {
			parts = append(parts, fmt.Sprint("log ", l.Level, " ", l.Message))
		}
	}
	return strings.Join(parts, " | ")
}

func renderEmit(ev *abi.Event, e *sandbox.Emit) string {
	if e.Cancel {
		return fmt.Sprintf("cancel %q", e.Timer)
	}
	b := "emit " + e.Event.Topic
	if e.Event.Key != "" {
		b += " key=" + quote([]byte(e.Event.Key))
	}
	if e.Event.ContentType != plain {
		b += " type=" + e.Event.ContentType
	}
	if e.Event.Version != 0 {
		b += fmt.Sprint(" version=", e.Event.Version)
	}
	for name, value := range e.Event.Headers.All() {
		if name != abi.HeaderTimer {
			b += " " + name + "=" + value
		}
	}
	if e.Due != 0 {
		b += fmt.Sprintf(" timer=%q in %v", e.Timer, time.Duration(e.Due-ev.Time))
	}
	return b + " " + quote(e.Event.Data)
}

// quote prints bytes, long ones by their length and digest.
func quote(b []byte) string {
	if len(b) > 500 {
		sum := sha256.Sum256(b)
		return fmt.Sprintf("%d bytes %x", len(b), sum[:8])
	}
	return strconv.Quote(string(b))
}
