package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// versionSite is a node with the tally, whose module and state version the test changes.
type versionSite struct {
	t     *testing.T
	dir   string
	extra string // of the manifest's subscriber
	opts  runtime.Options
	r     *runtime.Runtime
	n     int // events so far
}

func newVersionSite(t *testing.T, extra string) *versionSite {
	t.Helper()
	v := &versionSite{t: t, dir: t.TempDir(), extra: extra}
	v.want(1, "tally")
	v.start()
	return v
}

// holdBuild makes the build of another state version stop behind one of its commits, once: held is
// closed then, and the build goes on when goOn is.
func (v *versionSite) holdBuild(commit int) (held, goOn chan struct{}) {
	held, goOn = make(chan struct{}), make(chan struct{})
	commits := 0
	runtime.OnBuildStep(&v.opts, func() {
		if commits++; commits == commit {
			close(held)
			<-goOn
		}
	})
	return held, goOn
}

// want writes what the manifest and the plugins folder have.
func (v *versionSite) want(version int, module string) {
	v.t.Helper()
	retry := `retry = { attempts = 2, backoff = "1ms..2ms" }`
	if strings.Contains(v.extra, "retry") {
		retry = ""
	}
	text := fmt.Sprintf(`
[plugins]
watch = false
[[subscriber]]
name   = "tally"
module = "tally.wasm"
topics = ["pay.*"]
emits  = ["tally.*"]
limits = { fuel = "30M", time = "20s" }
state_version = %d
%s
%s
`, version, retry, v.extra)
	plugins := filepath.Join(v.dir, "plugins")
	err := errors.Join(os.MkdirAll(plugins, 0o755), os.WriteFile(filepath.Join(v.dir, "avxrt.toml"), []byte(text), 0o644),
		os.WriteFile(filepath.Join(plugins, "tally.wasm"), tally(v.t, module), 0o644))
	if err != nil {
		v.t.Fatal(err)
	}
}

// tally returns a module of testdata. With +1 to +9 behind its name it behaves the same and has
// another digest.
func tally(t testing.TB, module string) []byte {
	t.Helper()
	name, note, noted := strings.Cut(module, "+")
	wasm, err := os.ReadFile("testdata/" + name + ".wasm")
	if err != nil {
		t.Fatal(err)
	}
	if noted {
		wasm = append(wasm, 0, 3, 1, 'v', note[0])
	}
	return wasm
}

func (v *versionSite) start() {
	v.t.Helper()
	v.opts.Manifest = filepath.Join(v.dir, "avxrt.toml")
	v.r = openWith(v.t, v.opts)
}

// change adopts what the manifest and the plugins folder have, and waits for the end of it.
func (v *versionSite) change(version int, module string) {
	v.t.Helper()
	v.want(version, module)
	if err := v.r.Reload(context.Background()); err != nil {
		v.t.Log("reload: ", err)
	}
	v.moved()
}

func (v *versionSite) status() runtime.SubscriberStatus {
	v.t.Helper()
	st, err := v.r.Subscriber("tally")
	if err != nil {
		v.t.Fatal(err)
	}
	return st
}

func (v *versionSite) moved() {
	v.t.Helper()
	eventually(v.t, func() bool { return v.status().Build == nil })
}

// pay publishes n events of some keys.
func (v *versionSite) pay(n int) {
	v.t.Helper()
	events := make([]abi.Event, n)
	for i := range events {
		events[i] = abi.Event{Topic: "pay.in", Key: fmt.Sprintf("k%02d", v.n*7%23), Data: fmt.Append(nil, v.n%9+1)}
		v.n++
	}
	v.publish(events...)
}

func (v *versionSite) publish(events ...abi.Event) {
	v.t.Helper()
	if _, err := v.r.Publish(context.Background(), events, log.Durable); err != nil {
		v.t.Fatal(err)
	}
}

func (v *versionSite) settled() {
	v.t.Helper()
	settled(v.t, v.r)
}

// state returns the whole state as text, ordered by key.
func (v *versionSite) state() string {
	v.t.Helper()
	return stateText(v.t, v.r)
}

func stateText(t *testing.T, r *runtime.Runtime) string {
	t.Helper()
	entries, err := r.State(context.Background(), "tally", "", "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	b := &strings.Builder{}
	for _, e := range entries {
		fmt.Fprintf(b, "%s=%s ", e.Key, e.Value)
	}
	return b.String()
}

// emitted returns how often each event that the tally handled was emitted for: a seq that is
// there twice, or not at all, is a breach of exactly once.
func (v *versionSite) emitted() map[abi.Seq]int {
	v.t.Helper()
	return emittedFor(v.t, v.r)
}

func emittedFor(t *testing.T, r *runtime.Runtime) map[abi.Seq]int {
	t.Helper()
	reader := r.Store().NewReader(log.ReadOptions{From: 1, Match: func(topic string) bool { return topic == "tally.added" }})
	defer reader.Close()
	counts := map[abi.Seq]int{}
	var ev abi.Event
	for reader.Next(&ev) {
		var seq, index int
		if _, err := fmt.Sscanf(strings.TrimPrefix(ev.ID, "tally-"), "%d-%d", &seq, &index); err != nil {
			t.Fatalf("the id %q: %v", ev.ID, err)
		}
		counts[abi.Seq(seq)]++
	}
	return counts
}

// once checks that every payment brought forth one event.
func (v *versionSite) once(want int) {
	v.t.Helper()
	counts := v.emitted()
	for seq, n := range counts {
		if n != 1 {
			v.t.Errorf("event %d was emitted for %d times", seq, n)
		}
	}
	if len(counts) != want {
		v.t.Errorf("%d events were emitted for, want %d", len(counts), want)
	}
}

// freshState is what a node has that ran version 2 from the first event on.
func freshState(t *testing.T, events int) string {
	t.Helper()
	v := &versionSite{t: t, dir: t.TempDir()}
	v.want(2, "tally2")
	v.start()
	v.pay(events)
	v.settled()
	return v.state()
}

// TestStateVersions: a state that was migrated, one that was rebuilt and that of a fresh run are
// the same, with events before, between and after; nothing is emitted twice.
func TestStateVersions(t *testing.T) {
	want := freshState(t, 3100)
	for _, module := range []string{"tally2-migrates", "tally2"} {
		for _, extra := range []string{"", "partitions = 4"} {
			t.Run(module+" "+extra, func(t *testing.T) {
				v := newVersionSite(t, extra)
				v.pay(3000)
				v.settled()
				v.change(2, module)
				v.pay(50)
				v.settled()
				if st := v.status(); st.StateVersion != 2 || st.Generation != 2 || st.Problem != "" {
					t.Fatalf("after the change: %+v", st)
				}
				stop(t, v.r)
				v.start()
				v.pay(50)
				v.settled()
				if got := v.state(); got != want {
					t.Errorf("state\ngot  %s\nwant %s", got, want)
				}
				v.once(3100)
			})
		}
	}
}
