package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

const probeManifest = `
[[subscriber]]
name   = "probe"
module = "probe.wasm"
topics = ["do.*"]
emits  = ["out.*", "do.again"]
limits = { time = "100ms" }
retry  = { attempts = 3, backoff = "1ms..2ms" }
config = { greeting = "hello" }
`

// probeModules offers the scriptable guest of the sandbox's tests.
func probeModules(t testing.TB) fs.FS {
	t.Helper()
	wasm, err := os.ReadFile("../internal/sandbox/testdata/probe.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{"probe.wasm": {Data: wasm}}
}

// openProbe starts a node whose subscriber does what the events say.
func openProbe(t *testing.T, manifest string) *runtime.Runtime {
	t.Helper()
	return openWith(t, runtime.Options{ManifestText: []byte(manifest), Dir: t.TempDir(), Modules: probeModules(t)})
}

func do(t *testing.T, r *runtime.Runtime, scripts ...string) {
	t.Helper()
	var events []abi.Event
	for _, s := range scripts {
		events = append(events, abi.Event{Topic: "do.this", Key: "k", Data: []byte(s)})
	}
	if _, err := r.Publish(context.Background(), events, log.Durable); err != nil {
		t.Fatal(err)
	}
}

func letters(t *testing.T, r *runtime.Runtime) string {
	t.Helper()
	all, err := r.DeadLetters(context.Background(), "probe", 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range all {
		out = append(out, fmt.Sprintf("%s %s after %d", d.Event.Data, d.Reason, d.Attempts))
	}
	return strings.Join(out, ", ")
}

// TestPoison mixes events that loop, trap, fail and come round with good ones: each costs
// itself alone.
func TestPoison(t *testing.T) {
	r := openProbe(t, probeManifest)
	do(t, r, "add n 1", "loop", "add n 1", "trap", "add n 1", "add n 100;fail 2 no", "failonce;add n 1", "traponce;add n 1",
		"add n 100;fail 1 never", "add n 1;return 4", "fail 3 dull", "add n 1")
	settled(t, r)
	if got, want := letters(t, r), "loop timeout after 3, trap trap after 2, add n 100;fail 2 no reject after 1, "+
		"add n 100;fail 1 never attempts after 3, add n 1;return 4 attempts after 3"; got != want {
		t.Errorf("dead letters\ngot  %s\nwant %s", got, want)
	}
	if got := state(t, r, "probe", "n"); got[""] != 6 {
		t.Errorf("n is %d, want 6", got[""])
	}
}

func TestPolicies(t *testing.T) {
	t.Run("skip", func(t *testing.T) {
		r := openProbe(t, probeManifest+`on_poison = "skip"`)
		do(t, r, "trap", "add n 1")
		settled(t, r)
		if got := letters(t, r); got != "" || state(t, r, "probe", "n")[""] != 1 {
			t.Errorf("dead letters %q, state %v", got, state(t, r, "probe", ""))
		}
	})
	t.Run("stop", func(t *testing.T) {
		r := openProbe(t, probeManifest+`on_poison = "stop"`)
		do(t, r, "add n 1", "fail 2 no", "add n 1")
		eventually(t, func() bool {
			s, err := r.Subscriber("probe")
			return err == nil && s.State == runtime.StateStopped && s.Cursor == 2
		})
		if state(t, r, "probe", "n")[""] != 1 {
			t.Error("an event behind the stop was handled")
		}
	})
}

// TestHopLimit lets a subscriber feed itself: the chain ends in a dead letter.
func TestHopLimit(t *testing.T) {
	r := openProbe(t, probeManifest)
	do(t, r, "add n 1;emit do.again add n 1;emit do.again x")
	settled(t, r)
	do(t, r, selfEmit(20))
	settled(t, r)
	if got := letters(t, r); !strings.HasSuffix(got, "hops after 1") {
		t.Errorf("dead letters %q, want the end of the chain", got)
	}
}

// selfEmit nests emits; the probe splits statements at ';', so each level is one statement.
func selfEmit(depth int) string { return strings.Repeat("emit do.again ", depth) + "add n 1" }

func TestPublishRefuses(t *testing.T) {
	r := openProbe(t, probeManifest)
	publish := func(ev abi.Event) error {
		_, err := r.Publish(context.Background(), []abi.Event{{Topic: "good", Data: []byte("1")}, ev}, log.Durable)
		return err
	}
	head := r.Store().Head()
	var ee *log.EventError
	var ve *log.VersionError
	if err := publish(abi.Event{Topic: "$effect.smtp.send"}); !errors.Is(err, runtime.ErrReservedTopic) {
		t.Errorf("reserved topic: %v", err)
	}
	for name, ev := range map[string]abi.Event{
		"no topic": {}, "bad topic": {Topic: "a..b"}, "wildcard": {Topic: "a.*"}, "large": {Topic: "a", Data: make([]byte, abi.MaxEventBytes)},
		"long key": {Topic: "a", Key: strings.Repeat("k", 2000)}, "far future": {Topic: "a", Time: 1 << 62},
		"key that is no text": {Topic: "a", Key: "\xff"}, "id with a control character": {Topic: "a", ID: "\x1b[31m"},
	} {
		if err := publish(ev); !errors.As(err, &ee) || ee.Index != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := publish(abi.Event{Topic: "a", Key: "k", Version: 7}); !errors.As(err, &ve) || ve.Have != 0 {
		t.Errorf("version: %v", err)
	}
	if r.Store().Head() != head {
		t.Error("a refused batch left something in the log")
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		manifest string
		modules  fs.FS
		want     string
	}{
		"unknown key":    {"[node]\nidd = \"x\"", nil, `did you mean "id"?`},
		"missing module": {probeManifest, fstest.MapFS{}, "module probe.wasm does not exist"},
		"garbage module": {probeManifest, fstest.MapFS{"probe.wasm": {Data: []byte("garbage")}}, "not a WebAssembly module"},
		"digest":         {probeManifest + `sha256 = "` + strings.Repeat("0", 64) + `"`, probeModules(t), "the manifest pins"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := runtime.Open(runtime.Options{ManifestText: []byte(tt.manifest), Dir: t.TempDir(), Modules: tt.modules})
			var me *runtime.ManifestError
			if !errors.As(err, &me) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestTwoOnOneFolder checks that the second node says who is in its way.
func TestTwoOnOneFolder(t *testing.T) {
	dir := t.TempDir()
	openWith(t, runtime.Options{Dir: dir})
	if _, err := runtime.Open(runtime.Options{Dir: dir}); !errors.Is(err, log.ErrLocked) {
		t.Fatalf("got %v, want ErrLocked", err)
	}
}

// TestRestart closes a node and opens it again: cursors, state and generations go on.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	for round := 1; round <= 3; round++ {
		opts := runtime.Options{ManifestText: []byte(probeManifest), Dir: dir, Modules: probeModules(t)}
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			r := openWith(t, opts)
			do(t, r, "add n 1", "add n 1")
			settled(t, r)
			if got := state(t, r, "probe", "n")[""]; got != int64(2*round) {
				t.Fatalf("n is %d, want %d", got, 2*round)
			}
		})
	}
}

// TestCausation checks what the host adds to an emit.
func TestCausation(t *testing.T) {
	r := openProbe(t, probeManifest)
	receipts, err := r.Publish(context.Background(), []abi.Event{{Topic: "do.this", ID: "root", Source: "/me", Data: []byte("emit out.x y")}}, log.Durable)
	if err != nil {
		t.Fatal(err)
	}
	settled(t, r)
	ev, err := r.Store().Event(2)
	if err != nil {
		t.Fatal(err)
	}
	correlation, _ := ev.Headers.Get("correlationid")
	causation, _ := ev.Headers.Get("causationid")
	if ev.ID != fmt.Sprintf("probe-%d-0", receipts[0].Seq) || ev.Source != "/avxrt/node-1" || correlation != "root" || causation != "root" {
		t.Fatalf("the emit is %+v", ev)
	}
}

// TestSubscribe runs a Go func with a durable cursor over a restart.
func TestSubscribe(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]int{}
	enough := errors.New("enough")
	for round, want := range []int{2, 4} {
		r := openWith(t, runtime.Options{Dir: dir})
		for i := range 2 {
			if _, err := r.Publish(context.Background(), []abi.Event{{Topic: "a.b", ID: fmt.Sprint(round, i), Source: "s"}, {Topic: "x"}}, log.Accepted); err != nil {
				t.Fatal(err)
			}
		}
		err := r.Subscribe(context.Background(), runtime.SubscribeOptions{Name: "f", Patterns: []string{"a.*"}, From: 1}, func(_ context.Context, ev *abi.Event) error {
			if seen[ev.ID]++; len(seen) == want {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatal(err)
		}
		stop(t, r)
	}
	for id, n := range seen {
		if n > 2 {
			t.Errorf("%s came %d times", id, n)
		}
	}
}
