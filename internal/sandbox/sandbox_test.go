package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// memState is a committed state in memory.
type memState map[string]string

func (m memState) Get(key []byte) ([]byte, bool, error) {
	v, ok := m[string(key)]
	return []byte(v), ok, nil
}

func (m memState) Scan(prefix, after []byte, fn func(key, value []byte) bool) error {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(k, string(prefix)) && k > string(after) && !fn([]byte(k), []byte(m[k])) {
			return nil
		}
	}
	return nil
}

func (m memState) apply(writes []sandbox.Write) {
	for _, w := range writes {
		if w.Delete {
			delete(m, string(w.Key))
		} else {
			m[string(w.Key)] = string(w.Value)
		}
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newEngine(t testing.TB) *sandbox.Engine {
	t.Helper()
	e, err := sandbox.NewEngine(context.Background(), sharedCache(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func load(t testing.TB, e *sandbox.Engine, path string) *sandbox.Module {
	t.Helper()
	m, err := e.Load(context.Background(), path, readFile(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const probe = "testdata/probe.wasm"

// testConfig has a minute, not the second by default, which a busy machine can take for a megabyte of state.
var testConfig = sandbox.Config{
	Subscriber: "probe", Conf: map[string]string{"greeting": "hello"}, Limits: sandbox.Limits{Time: time.Minute},
	Grants: func(topic string) bool { return strings.HasPrefix(topic, "out.") },
}

func instantiate(t testing.TB, m *sandbox.Module, config sandbox.Config, state memState) *sandbox.Instance {
	t.Helper()
	i, err := m.Instantiate(context.Background(), config, state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close(context.Background()) })
	return i
}

// feed gives one event per script, with seqs from first.
func feed(first abi.Seq, scripts ...string) func() *abi.Event {
	n := 0
	var ev abi.Event
	return func() *abi.Event {
		if n == len(scripts) {
			return nil
		}
		ev = abi.Event{Seq: first + abi.Seq(n), Topic: "in", Key: "key", Time: 1_000_000 + int64(n), Attempt: 1, Data: []byte(scripts[n])}
		n++
		return &ev
	}
}

// run gives the scripts to a fresh probe in one run.
func run(t *testing.T, m *sandbox.Module, state memState, scripts ...string) sandbox.Result {
	t.Helper()
	return instantiate(t, m, testConfig, state).Run(context.Background(), sandbox.Batch{Next: feed(1, scripts...), State: state})
}

func printResult(r sandbox.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "handled %d/%d", r.Handled, r.Pulled)
	for _, e := range r.Emits {
		switch {
		case e.Cancel:
			fmt.Fprintf(&b, " cancel(%s)", e.Timer)
			continue
		case e.Due != 0:
			fmt.Fprintf(&b, " at %d, timer %q:", e.Due, e.Timer)
		}
		fmt.Fprintf(&b, " emit(%d %s %s=%.20s)", e.Cause, e.Event.Topic, e.Event.Key, e.Event.Data)
	}
	for _, w := range r.Writes {
		if w.Delete {
			fmt.Fprintf(&b, " del(%s)", w.Key)
		} else {
			fmt.Fprintf(&b, " set(%s=%.20s)", w.Key, w.Value)
		}
	}
	if r.Reply != nil {
		fmt.Fprintf(&b, " reply(%s)", strings.TrimSpace(string(r.Reply)))
	}
	if r.Failure != nil {
		fmt.Fprintf(&b, " fail(%d %s)", r.Failure.Code, r.Failure.Message)
	}
	if r.Trap != nil {
		fmt.Fprintf(&b, " trap(%s %s)", r.Trap.Kind, r.Trap.Message)
	}
	return b.String()
}

func TestRun(t *testing.T) {
	m := load(t, newEngine(t), probe)
	state := memState{"a": "1", "b": "2", "p/1": "x", "p/2": "y", "p/3": "z"}
	tests := []struct {
		name    string
		scripts []string
		want    string
	}{
		{"nothing", nil, "handled 0/0"},
		{"emit", []string{"emit out.x one", "emit out.y two;emit out.z three"}, "handled 2/2 emit(0 out.x key=one) emit(1 out.y key=two) emit(1 out.z key=three) reply(0 0)"},
		{"timer", []string{"later 1 out.x one;timer n 0 out.y two;cancel m"}, `handled 1/1 at 2000000, timer "": emit(0 out.x key=one) at 1000000, timer "n": emit(0 out.y key=two) cancel(m) reply(0 0 0)`},
		{"timer of the past", []string{"later -1 out.x one;timer n -5 out.y two"}, "handled 1/1 emit(0 out.x key=one) reply(0 -2)"},
		{"timer denied", []string{"later 1 secret.x one"}, "handled 1/1 reply(-4)"},
		{"timer without a topic", []string{"timer n 1"}, "handled 1/1 reply(-2)"},
		{"timer dropped with the event", []string{"later 1 out.x one;fail 2 no"}, "handled 0/1 fail(2 no)"},
		{"denied", []string{"emit secret.x one"}, "handled 1/1 reply(-4)"},
		{"bad frame", []string{"rawemit nonsense"}, "handled 1/1 reply(-2)"},
		{"read", []string{"get a;get none;size a"}, "handled 1/1 reply(1 -1 1)"},
		{"read through", []string{"set a 9;get a;del b;get b;set c 3", "get a;get b;get c"}, "handled 2/2 set(a=9) del(b) set(c=3) reply(9 -1 3)"},
		{"last write wins", []string{"set a 5", "set a 6;del a;set a 7"}, "handled 2/2 set(a=7) reply(0 0 0)"},
		{"scan", []string{"set p/2 new;del p/3;set p/25 mid;scan p/"}, "handled 1/1 set(p/2=new) set(p/25=mid) del(p/3) reply(0 0 0 p/1=x,p/2=new,p/25=mid,0)"},
		{"scan over runs of events", []string{"set q/1 a", "set q/2 b;del q/1;scan q/"}, "handled 2/2 del(q/1) set(q/2=b) reply(0 0 q/2=b,0)"},
		{"fail drops and ends", []string{"set a 5", "set a 6;emit out.x y;fail 2 no;set a 7", "set a 8"}, "handled 1/2 set(a=5) reply(0) fail(2 no)"},
		{"skip", []string{"fail 3 boring"}, "handled 0/1 fail(3 boring)"},
		{"own code", []string{"fail 104 sku"}, "handled 0/1 fail(104 sku)"},
		{"unknown code", []string{"fail 50 x"}, "handled 0/1 trap(trap fail was called with a code that the contract does not have)"},
		{"trap", []string{"set a 5", "set a 6;trap"}, "handled 1/2 set(a=5) reply(0) trap(trap unreachable)"},
		{"return", []string{"set a 5", "set a 6;return 3"}, "handled 1/2 set(a=5) reply(0) fail(1 avx_run returned 3: the guest declares itself broken)"},
		{"conf", []string{"conf greeting;conf none;conf avx.abi"}, "handled 1/1 reply(hello -1 1.0)"},
		{"clock", []string{"now", "now"}, "handled 2/2 reply(1000001)"},
		{"emit too large", []string{"bigemit 2000000"}, "handled 1/1 reply(-3)"},
		{"emit quota", []string{"emits 300 x"}, "handled 1/1" + strings.Repeat(" emit(0 out.many key=x)", 256) + " reply(-5)"},
		{"value too large", []string{"bigset k 1048577"}, "handled 1/1 reply(-3)"},
		{"key too long", []string{"longkey 1025"}, "handled 1/1 reply(-3)"},
		{"state quota", []string{"bigset k 1048576;bigset l 1048576;bigset m 1048576;bigset n 1048576"}, "handled 1/1 set(k=" + strings.Repeat("\x00", 20) + ") set(l=" + strings.Repeat("\x00", 20) + ") set(m=" + strings.Repeat("\x00", 20) + ") reply(0 0 0 -5)"},
		{"memory", []string{"grow 1000000"}, "handled 1/1 reply(-1)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := maps.Clone(state)
			if got := printResult(run(t, m, state, tt.scripts...)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if !maps.Equal(before, state) {
				t.Error("the committed state changed")
			}
		})
	}
}

// TestLargeEvent gives an event that is larger than the guest's buffer: it is asked for twice and arrives once.
func TestLargeEvent(t *testing.T) {
	m := load(t, newEngine(t), probe)
	script := "emit out.x y;" + strings.Repeat(";", 900<<10)
	got := printResult(run(t, m, memState{}, script, "emit out.z w", script))
	if want := "handled 3/3 emit(0 out.x key=y) emit(1 out.z key=w) emit(2 out.x key=y) reply(0)"; got != want {
		t.Fatalf("got %s", got)
	}
}

func TestInstanceAfterFailure(t *testing.T) {
	m := load(t, newEngine(t), probe)
	for _, script := range []string{"trap", "fail 1 x", "return 1"} {
		i := instantiate(t, m, testConfig, memState{})
		if !i.Usable() {
			t.Fatal("a fresh instance is not usable")
		}
		if r := i.Run(context.Background(), sandbox.Batch{Next: feed(1, "set a 1"), State: memState{}}); r.Handled != 1 || !i.Usable() {
			t.Fatalf("after a good run: %s", printResult(r))
		}
		i.Run(context.Background(), sandbox.Batch{Next: feed(2, script), State: memState{}})
		if i.Usable() {
			t.Errorf("after %q the instance may be used again", script)
		}
	}
}

// TestEndlessLoop checks that the event behind the limit is stopped and the ones before it stay.
func TestEndlessLoop(t *testing.T) {
	m := load(t, newEngine(t), probe)
	config := testConfig
	config.Limits.Time = 50 * time.Millisecond
	i := instantiate(t, m, config, memState{})
	start := time.Now()
	r := i.Run(context.Background(), sandbox.Batch{Next: feed(1, "set a 1", "loop"), State: memState{}})
	if r.Handled != 1 || r.Trap == nil || !r.Trap.Timeout || i.Usable() {
		t.Fatalf("got %s", printResult(r))
	}
	if took := time.Since(start); took < config.Limits.Time || took > time.Minute {
		t.Errorf("it was stopped after %v, the limit is %v", took, config.Limits.Time)
	}
}

func TestDeterminism(t *testing.T) {
	m := load(t, newEngine(t), probe)
	once := func(subscriber string, seq abi.Seq) string {
		config := testConfig
		config.Subscriber = subscriber
		i := instantiate(t, m, config, memState{})
		r := i.Run(context.Background(), sandbox.Batch{Next: feed(seq, "rand;rand;now"), State: memState{}})
		return string(r.Reply)
	}
	if a, b := once("s", 5), once("s", 5); a != b || a == "" {
		t.Errorf("the same event gave %q and %q", a, b)
	}
	i := instantiate(t, m, testConfig, memState{})
	again := func() string {
		return string(i.Run(context.Background(), sandbox.Batch{Next: feed(5, "rand;rand;now"), State: memState{}}).Reply)
	}
	if a, b := again(), again(); a != b || a == "" {
		t.Errorf("the same event on the same instance gave %q and %q", a, b)
	}
	if once("s", 5) == once("s", 6) || once("s", 5) == once("t", 5) {
		t.Error("another event or subscriber has the same randomness")
	}
}

func TestLogLines(t *testing.T) {
	m := load(t, newEngine(t), probe)
	config := testConfig
	var lines []sandbox.LogLine
	config.OnLog = func(l sandbox.LogLine) { lines = append(lines, l) }
	i := instantiate(t, m, config, memState{})
	i.Run(context.Background(), sandbox.Batch{Next: feed(7, "log 1000 a\x1b[31mb"), State: memState{}})
	if len(lines) != 64 || lines[0].Seq != 7 || lines[0].Message != "a\ufffd[31mb" || !strings.Contains(lines[63].Message, "dropped") {
		t.Fatalf("%d lines, first %+v, last %+v", len(lines), lines[0], lines[len(lines)-1])
	}
}

func TestReadOnly(t *testing.T) {
	m := load(t, newEngine(t), probe)
	i := instantiate(t, m, testConfig, memState{"a": "1"})
	r := i.Run(context.Background(), sandbox.Batch{Next: feed(1, "get a;set a 2;del a;emit out.x y"), State: memState{"a": "1"}, ReadOnly: true})
	if got := printResult(r); got != "handled 1/1 reply(1 -8 -8 -8)" {
		t.Fatalf("got %s", got)
	}
}

func TestParallel(t *testing.T) {
	m := load(t, newEngine(t), probe)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			i, err := m.Instantiate(context.Background(), testConfig, memState{})
			if err != nil {
				t.Error(err)
				return
			}
			defer i.Close(context.Background())
			state := memState{}
			for n := range 50 {
				r := i.Run(context.Background(), sandbox.Batch{Next: feed(abi.Seq(n), "add n 1", "add n 2"), State: state})
				state.apply(r.Writes)
			}
			if state["n"] != "150" {
				t.Errorf("instance %d counted %s, want 150", g, state["n"])
			}
		})
	}
	wg.Wait()
}

func TestLoadRefuses(t *testing.T) {
	e := newEngine(t)
	good := readFile(t, probe)
	replace := func(old, new string) []byte { return bytes.Replace(good, []byte(old), []byte(new), 1) }
	tests := []struct {
		name string
		wasm []byte
		want string
	}{
		{"empty", nil, "the file is empty"},
		{"garbage", []byte("this is no module at all"), "not a WebAssembly module"},
		{"truncated", good[:len(good)/2], "cut or damaged"},
		{"no marker", replace("avx_abi_1", "abx_abi_1"), "does not export avx_abi_1"},
		{"unknown function", replace("kv_scan", "kv_scam"), "it needs avx1.kv_scam, this host has 1.0"},
		{"other contract", replace("avx1", "avx2"), "built for contract avx2"},
		{"foreign import", replace("avx1", "env1"), "it imports env1."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := e.Load(context.Background(), "x.wasm", tt.wasm)
			var le *sandbox.LoadError
			if !errors.As(err, &le) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("memory", func(t *testing.T) {
		config := testConfig
		config.Limits.Memory = 64 << 10
		if _, err := load(t, e, probe).Instantiate(context.Background(), config, memState{}); err == nil || !strings.Contains(err.Error(), "limits.memory allows 64 KiB") {
			t.Fatalf("got %v", err)
		}
	})
}

// TestCacheIsUsed compiles once into a folder and again from it.
func TestCacheIsUsed(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		e, err := sandbox.NewEngine(context.Background(), sandbox.Options{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if r := run(t, load(t, e, probe), memState{}, "emit out.x y"); len(r.Emits) != 1 {
			t.Fatal(printResult(r))
		}
		if err := e.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("the cache folder holds %v, %v", files, err)
	}
}

// BenchmarkNext is what one event costs at the border; the rest is the guest's.
func BenchmarkNext(b *testing.B) {
	m := load(b, newEngine(b), "../../plugins/analytics.wasm")
	i := instantiate(b, m, sandbox.Config{Subscriber: "b"}, memState{})
	ev := abi.Event{Seq: 1, Topic: "other", Time: 1, Data: make([]byte, 256)}
	left := 0
	next := func() *abi.Event {
		if left--; left < 0 {
			return nil
		}
		return &ev
	}
	b.ReportAllocs()
	for b.Loop() {
		left = 1
		i.Run(context.Background(), sandbox.Batch{Next: next, State: memState{}})
	}
}

// TestEmitsThatAreNoText: what could not be written as JSON and read again is not emitted. A
// header called "type" would give an export two types, and two of one name would end the import.
func TestEmitsThatAreNoText(t *testing.T) {
	m := load(t, newEngine(t), probe)
	header := func(name, value string) abi.Headers {
		h, err := abi.Headers(nil).Append(name, value)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	twice := append(header("tenant", "a"), header("tenant", "b")...)
	for name, tt := range map[string]struct {
		ev   abi.Event
		want string
	}{
		"good":              {abi.Event{Key: "ключ", Headers: header("tenant", "a"), ID: "\xff", Source: "\x00"}, " emit(0 out.x ключ=1) reply(0)"},
		"key":               {abi.Event{Key: "\xff"}, " reply(-2)"},
		"content type":      {abi.Event{ContentType: "a/b\n"}, " reply(-2)"},
		"header of its own": {abi.Event{Headers: header("type", "$sys.x")}, " reply(-2)"},
		"header twice":      {abi.Event{Headers: twice}, " reply(-2)"},
		"header's value":    {abi.Event{Headers: header("tenant", "\x1b[31m")}, " reply(-2)"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.ev.Topic, tt.ev.Data = "out.x", []byte("1")
			got := printResult(run(t, m, memState{}, "rawemit "+string(abi.AppendFrame(nil, &tt.ev))))
			if want := "handled 1/1" + tt.want; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
