package trial_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/internal/trial"
	"github.com/avx-platform/avxrt/router"
)

const (
	probe   = "../sandbox/testdata/probe.wasm"
	planted = "../sandbox/testdata/planted.wasm"
)

func newEngine(t *testing.T, interpreter bool) *sandbox.Engine {
	t.Helper()
	e, err := sandbox.NewEngine(context.Background(), sandbox.Options{Interpreter: interpreter})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	return e
}

// open starts a trial of a module's file, or of the bytes in opts.
func open(t *testing.T, e *sandbox.Engine, file string, opts trial.Options) *trial.Trial {
	t.Helper()
	if file != "" {
		wasm, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		opts.Module = wasm
	}
	tr, err := trial.Open(context.Background(), e, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tr
}

func handle(t *testing.T, tr *trial.Trial, data string) trial.Outcome {
	t.Helper()
	out, err := tr.Handle(context.Background(), abi.Event{Topic: "test.event", Key: "k", Data: []byte(data)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// text prints an outcome, but for what it cost.
func text(o trial.Outcome) string {
	var b strings.Builder
	b.WriteString(string(o.End))
	if o.Reason != "" {
		fmt.Fprintf(&b, " (%s)", o.Reason)
	}
	if o.Again {
		b.WriteString(" again")
	}
	for _, e := range o.Emits {
		fmt.Fprintf(&b, " | emit %s %s", e.Event.Topic, e.Event.Data)
		if e.Due != 0 {
			fmt.Fprintf(&b, " timer %q in %d ms", e.Timer, (e.Due-trial.Epoch)/1e6)
		}
		if e.Cancel {
			fmt.Fprintf(&b, "cancels %q", e.Timer)
		}
	}
	for _, w := range o.Writes {
		fmt.Fprintf(&b, " | %s: %q %v -> %q %v", w.Key, w.Before, w.Existed, w.Value, !w.Delete)
	}
	if o.Reply != nil {
		fmt.Fprintf(&b, " | reply %s", o.Reply)
	}
	for _, l := range o.Logs {
		fmt.Fprintf(&b, " | log %d %s", l.Level, l.Message)
	}
	if o.Dropped > 0 {
		fmt.Fprintf(&b, " | %d lines dropped", o.Dropped)
	}
	return b.String()
}

func grants(t *testing.T, texts ...string) (out []router.Pattern) {
	t.Helper()
	for _, text := range texts {
		p, err := router.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// TestHandle runs events one after another through one trial, on both engines: what was
// folded is seen by the next one, what failed is not.
func TestHandle(t *testing.T) {
	steps := []struct{ data, want string }{
		{"set a 1;emit out.x one", `handled | emit out.x one | a: "0" true -> "1" true | reply 0 0 `},
		{"get a;set b 2;fail 2 no", `reject (no)`},
		{"get a;get b", `handled | reply 1 -1 `},
		{"set c 3;fail 1 later", `retry (later)`},
		{"set c 3;fail 3 not mine", `skip (not mine)`},
		{"set c 3;fail 4 enough", `stop (enough)`},
		{"set c 3;fail 107 own code", `reject (own code)`},
		{"set c 3;return 7", `retry (avx_run returned 7: the guest declares itself broken)`},
		{"scan ", `handled | reply a=1,0 `},
		{"set b 9;set aa 8;del a;scan ", `handled | a: "1" true -> "" false | aa: "" false -> "8" true | b: "" false -> "9" true | reply 0 0 0 aa=8,b=9,0 `},
		{"scan b;get a", `handled | reply b=9,0 -1 `},
		{"emit secret.x y;emit out.x* y;emit out.y z", `handled | emit out.y z | reply -4 -4 0 `},
		{"later 250 out.t x", `handled | emit out.t x timer "" in 12250 ms | reply 0 `},
		{"timer due 5000 out.t x;cancel old", `handled | emit out.t x timer "due" in 18000 ms | emit  cancels "old" | reply 0 0 `},
		{"conf greeting;conf other", `handled | reply hello -1 `},
		{"log 3 hi", `handled | log 2 hi | log 2 hi … further lines of this event are dropped (limits.log_lines) | 1 lines dropped`},
		{"log 1 before;set x 1;fail 2 gone", `reject (gone) | log 2 before`},
		{"now", `handled | reply 1767225617000000000 `},
		{"attempt", `handled | reply 1 `},
	}
	for name, interpreter := range map[string]bool{"compiler": false, "interpreter": true} {
		t.Run(name, func(t *testing.T) {
			tr := open(t, newEngine(t, interpreter), probe, trial.Options{
				Config: map[string]string{"greeting": "hello"}, Grants: grants(t, "out.*"),
				State: map[string][]byte{"a": []byte("0")}, Limits: sandbox.Limits{LogLines: 2},
			})
			for _, step := range steps {
				out := handle(t, tr, step.data)
				if got := text(out); got != step.want {
					t.Errorf("%s\n got  %s\n want %s", step.data, got, step.want)
				}
				if out.Fuel <= 0 || out.Memory < 64<<10 {
					t.Errorf("%s: %d fuel and %d bytes of memory", step.data, out.Fuel, out.Memory)
				}
			}
			if got := fmt.Sprint(tr.State()); got != fmt.Sprint(map[string][]byte{"aa": []byte("8"), "b": []byte("9")}) {
				t.Errorf("state in the end %s", got)
			}
		})
	}
}

// TestTrap: a trap drops what its event staged and names the line; on an instance that has
// served it is tried again on a fresh one.
func TestTrap(t *testing.T) {
	e := newEngine(t, false)
	source, err := os.ReadFile("../sandbox/testdata/planted.c")
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := bytes.Cut(source, []byte("PLANTED divide"))
	line := fmt.Sprintf("planted.c:%d", bytes.Count(before, []byte("\n"))+1)
	if out := handle(t, open(t, e, planted, trial.Options{}), "divide"); out.End != trial.Trapped || out.Trap == nil || !strings.Contains(out.Trap.Where, line) || !strings.Contains(out.Reason, line) {
		t.Errorf("got %s, want %s", text(out), line)
	}
	tr := open(t, e, probe, trial.Options{State: map[string][]byte{"n": []byte("1")}})
	for _, step := range []struct{ data, want string }{
		{"set n 2;traponce", "trap (unreachable)"},
		{"get n", "handled | reply 1 "},
		{"attempt;traponce;set n 3;attempt", `handled again | n: "1" true -> "3" true | reply 2 0 2 `},
		{"set n 4;trap", "trap (unreachable) again"},
		{"get n", "handled | reply 3 "},
	} {
		if got := text(handle(t, tr, step.data)); got != step.want {
			t.Errorf("%s\n got  %s\n want %s", step.data, got, step.want)
		}
	}
	limited := open(t, e, probe, trial.Options{Limits: sandbox.Limits{Fuel: 1_000_000, Time: 1}}) // not by the clock
	if out := handle(t, limited, "set a 1;loop"); out.Trap == nil || out.Trap.Kind != sandbox.TrapFuel || len(limited.State()) != 0 || out.Fuel < 1_000_000 || out.Fuel > 1_001_000 {
		t.Errorf("a loop: %s, %d fuel, state %v", text(out), out.Fuel, limited.State())
	}
}

// TestFresh: with a fresh instance for each event nothing stays in memory, and otherwise it does.
func TestFresh(t *testing.T) {
	e := newEngine(t, false)
	for fresh, want := range map[bool]string{false: "handled again", true: "handled"} {
		for _, v := range hostile.Versions() {
			if v.Handles == 0 {
				continue
			}
			tr := open(t, e, "", trial.Options{Module: v.Wasm, Fresh: fresh})
			for range v.Handles {
				if out := handle(t, tr, ""); text(out) != "handled" {
					t.Fatal(text(out))
				}
			}
			out := handle(t, tr, "")
			if got := text(out); got != want {
				t.Errorf("fresh %v: %s, want %s", fresh, got, want)
			}
		}
	}
}

// TestHostile: whatever a module is, it has an outcome, and its trial goes on.
func TestHostile(t *testing.T) {
	e := newEngine(t, false)
	ends := map[string]trial.End{
		"traps": trial.Trapped, "fails": trial.Rejected, "retries": trial.Retry, "stops": trial.Stopped, "spins": trial.Trapped,
		"recurses": trial.Trapped, "dies-at-start": trial.Unstarted, "takes-nothing": trial.Trapped, "does-nothing": trial.Handled,
	}
	for _, v := range hostile.Versions() {
		want, ok := ends[v.Name]
		if !ok {
			continue
		}
		tr := open(t, e, "", trial.Options{Module: v.Wasm, Limits: sandbox.Limits{Fuel: 10_000_000}})
		for range 2 {
			if out := handle(t, tr, "x"); out.End != want || (out.Reason == "") != (want == trial.Handled || want == trial.Rejected || want == trial.Retry || want == trial.Stopped) {
				t.Errorf("%s: %s, want %s", v.Name, text(out), want)
			}
		}
	}
	if out := handle(t, open(t, e, probe, trial.Options{Limits: sandbox.Limits{Memory: 64 << 10}}), ""); out.End != trial.Unstarted || !strings.Contains(out.Reason, "limits.memory") {
		t.Errorf("too little memory: %s", text(out))
	}
	if _, err := trial.Open(context.Background(), e, trial.Options{Module: []byte("\x00asm no")}); err == nil || !strings.HasPrefix(err.Error(), "module trial: ") {
		t.Errorf("no module: %v", err)
	}
}

// TestSame: the same events have the same outcomes in another trial, and what is random
// depends on the name.
func TestSame(t *testing.T) {
	e := newEngine(t, false)
	run := func(name string) (out string) {
		tr := open(t, e, probe, trial.Options{Name: name})
		for range 3 {
			o := handle(t, tr, "rand;now;add n 1")
			out += fmt.Sprintln(text(o), o.Fuel, o.Memory)
		}
		return out
	}
	if a, b := run("one"), run("one"); a != b {
		t.Errorf("differ:\n%s%s", a, b)
	}
	if a, b := run("one"), run("two"); a == b {
		t.Errorf("another name and the same:\n%s", a)
	}
}

// TestRefused: what no node would hand to a guest is an error, and the guest does not run.
func TestRefused(t *testing.T) {
	tr := open(t, newEngine(t, false), probe, trial.Options{})
	long := strings.Repeat("x", abi.MaxKeyBytes+1)
	for want, ev := range map[string]abi.Event{
		"topic":             {Topic: "a..b"},
		"key":               {Topic: "a", Key: long},
		"id":                {Topic: "a", ID: long},
		"source":            {Topic: "a", Source: long},
		"content type":      {Topic: "a", ContentType: long},
		"malformed headers": {Topic: "a", Headers: abi.Headers("\xff")},
		"headers have":      {Topic: "a", Headers: mustHeader(t, "h", strings.Repeat("x", abi.MaxHeadersBytes))},
		"the event has":     {Topic: "a", Data: make([]byte, abi.MaxEventBytes)},
	} {
		if out, err := tr.Handle(context.Background(), ev); err == nil || !strings.Contains(err.Error(), want) || out.End != "" {
			t.Errorf("%s: %v, %v", want, out, err)
		}
	}
	if out := handle(t, tr, "rand"); out.End != trial.Handled {
		t.Error(text(out))
	}
}

func mustHeader(t *testing.T, key, value string) abi.Headers {
	t.Helper()
	h, err := abi.Headers(nil).Append(key, value)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
