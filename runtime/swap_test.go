package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// swapSite is a node with one subscriber whose module and swap the test changes.
type swapSite struct {
	t          *testing.T
	dir        string
	partitions int
	r          *runtime.Runtime
}

// newSwapSite starts a node on the first version of the probe.
func newSwapSite(t *testing.T, swap string) *swapSite { return newSwapSiteOf(t, 1, swap) }

func newSwapSiteOf(t *testing.T, partitions int, swap string) *swapSite {
	t.Helper()
	w := &swapSite{t: t, dir: t.TempDir(), partitions: partitions}
	w.manifest(swap)
	w.put(probe(t, 1))
	w.start()
	return w
}

func (w *swapSite) manifest(swap string) {
	w.t.Helper()
	text := `
[plugins]
watch = false
[[subscriber]]
name   = "probe"
module = "probe.wasm"
topics = ["do.*"]
emits  = ["mark.*"]
limits = { fuel = "3M", time = "20s" }
retry  = { attempts = 2, backoff = "1ms..2ms" }
partitions = ` + fmt.Sprint(w.partitions) + `
swap   = ` + swap
	if err := os.WriteFile(filepath.Join(w.dir, "avxrt.toml"), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *swapSite) file() string { return filepath.Join(w.dir, "plugins", "probe.wasm") }

func (w *swapSite) put(wasm []byte) {
	w.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(w.file()), 0o755), os.WriteFile(w.file(), wasm, 0o644)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *swapSite) start() {
	w.t.Helper()
	w.r = openWith(w.t, runtime.Options{Manifest: filepath.Join(w.dir, "avxrt.toml")})
}

func (w *swapSite) restart() {
	w.t.Helper()
	stop(w.t, w.r)
	w.start()
}

// swap puts a module into the plugins folder and lets the node read it.
func (w *swapSite) swap(wasm []byte) error {
	w.t.Helper()
	w.put(wasm)
	return w.r.Reload(context.Background())
}

func (w *swapSite) status() runtime.SubscriberStatus {
	w.t.Helper()
	st, err := w.r.Subscriber("probe")
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// history prints number, cause and standing of each generation.
func (w *swapSite) history() string {
	w.t.Helper()
	history, err := w.r.Generations("probe")
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, g := range history {
		out = append(out, fmt.Sprintf("%d %s: %s", g.Number, g.Cause, g.Standing))
	}
	return strings.Join(out, ", ")
}

func (w *swapSite) wantHistory(want string) {
	w.t.Helper()
	if got := w.history(); got != want {
		w.t.Errorf("history\ngot  %s\nwant %s", got, want)
	}
}

// probe returns the probe's version 1 or 2; further numbers are the same behaviour with
// another digest.
func probe(t testing.TB, version int) []byte {
	t.Helper()
	name := "../internal/sandbox/testdata/probe.wasm"
	if version%2 == 0 {
		name = "../internal/sandbox/testdata/probe2.wasm"
	}
	wasm, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if version > 2 {
		wasm = append(wasm, 0, 3, 1, 'v', byte(version))
		wasm[len(wasm)-4] = 3
	}
	return wasm
}

// marks tells, by key, which version handled each event that asked for a mark, and what is wrong with
// that: every event must have been handled once.
func marks(t *testing.T, r *runtime.Runtime) (versions map[string][]string, missing []abi.Seq, problem string) {
	t.Helper()
	versions = map[string][]string{}
	version := map[abi.Seq]string{}
	reader := r.Store().NewReader(log.ReadOptions{Match: func(topic string) bool { return strings.HasPrefix(topic, "mark.") }})
	defer reader.Close()
	var ev abi.Event
	for reader.Next(&ev) {
		cause, err := strconv.ParseUint(strings.Split(ev.ID, "-")[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if was, twice := version[abi.Seq(cause)]; twice {
			problem = fmt.Sprintf("event %d was handled by %s and by %s", cause, was, ev.Topic)
		}
		version[abi.Seq(cause)] = strings.Clone(ev.Topic)
	}
	wanted := r.Store().NewReader(log.ReadOptions{Match: func(topic string) bool { return topic == "do.this" }})
	defer wanted.Close()
	for wanted.Next(&ev) {
		if v := version[ev.Seq]; v != "" {
			key := strings.Clone(ev.Key)
			versions[key] = append(versions[key], v)
		} else {
			missing = append(missing, ev.Seq)
		}
	}
	if err := errors.Join(reader.Err(), wanted.Err()); err != nil {
		t.Fatal(err)
	}
	return versions, missing, problem
}

// borders counts how often the version changes from one event to the next.
func borders(versions []string) int {
	n := 0
	for i := range versions {
		if i > 0 && versions[i] != versions[i-1] {
			n++
		}
	}
	return n
}

// load publishes events until its end.
type load struct {
	published atomic.Int64
	stop      func()
}

// begin publishes marks in small batches beside the test. The node must not be restarted
// before the end.
func (w *swapSite) begin() *load {
	l := &load{}
	done := make(chan struct{})
	var wg sync.WaitGroup
	r := w.r
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if lag := w.status().LagEvents; lag > 2000 { // it keeps behind the end, and near it
				continue
			}
			events := make([]abi.Event, 5)
			for i := range events {
				events[i] = abi.Event{Topic: "do.this", Key: fmt.Sprint(i), Data: []byte("add n 1;mark")}
			}
			if _, err := r.Publish(context.Background(), events, log.Accepted); err != nil {
				w.t.Error(err)
				return
			}
			l.published.Add(int64(len(events)))
		}
	})
	l.stop = sync.OnceFunc(func() { close(done); wg.Wait() })
	w.t.Cleanup(l.stop)
	return l
}

// more waits until n more events were handled.
func (w *swapSite) more(n uint64) {
	w.t.Helper()
	from := w.status().Handled
	eventually(w.t, func() bool {
		if st := w.status(); st.State == runtime.StateStopped || st.State == runtime.StateFailed {
			w.t.Fatalf("%s: %s", st.State, st.Reason)
		}
		return w.status().Handled >= from+n
	})
}

// TestSwaps is P12: modules are replaced under load, in every mode and over restarts, and each
// event is handled by exactly one generation, with one border a swap and partition.
func TestSwaps(t *testing.T) {
	p := fault.Prove(t, "P12", "swaps under load", "every event is handled by exactly one version, with one border a swap and partition")
	swaps := fault.Size(t, 20, 1000)
	for _, partitions := range []int{1, 3} {
		swapUnderLoad(t, p, partitions, max(swaps/2, 2))
	}
}

func swapUnderLoad(t *testing.T, p *fault.Promise, partitions, swaps int) {
	rng := p.Rand()
	w := newSwapSiteOf(t, partitions, `{ mode = "immediate" }`)
	modes := []string{`{ mode = "immediate" }`, `{ mode = "shadow", events = 20 }`, `{ mode = "canary", events = 30 }`}
	l := w.begin()
	w.more(10)
	for n := 1; n <= swaps; n++ {
		w.manifest(modes[rng.IntN(len(modes))])
		version := probe(t, 1+n%2)
		switch rng.IntN(4) {
		case 0: // over a restart
			l.stop()
			w.put(version)
			w.restart()
			l = w.begin()
		case 1:
			if d, err := w.r.Deploy(context.Background(), "probe", version, false); err != nil || !d.Deployed {
				t.Fatalf("swap %d: %+v, %v", n, d, err)
			}
		default:
			if err := w.swap(version); err != nil {
				t.Fatal(err)
			}
		}
		w.more(uint64(1 + rng.IntN(60))) // so that each version has events, and some trials do not come to their end
	}
	l.stop()
	settled(t, w.r)
	p.Injected(swaps)
	check := func(versions map[string][]string, missing []abi.Seq, problem string) string {
		if len(missing) > 0 {
			problem = fmt.Sprintf("not handled: %v", missing)
		}
		for key, vs := range versions { // a lane may see no event between two swaps
			if n := borders(vs); n > swaps || n < swaps && partitions == 1 {
				problem = fmt.Sprintf("%d borders for %d swaps at key %s", n, swaps, key)
			}
		}
		return problem
	}
	versions, missing, problem := marks(t, w.r)
	if wrong := check(versions, missing, problem); wrong != "" {
		t.Fatal(wrong)
	}
	total := 0
	for _, vs := range versions {
		total += len(vs)
	}
	if got := state(t, w.r, "probe", "n"); got[""] != int64(total) {
		t.Fatalf("the state counts %d of %d events", got[""], total)
	}
	t.Logf("%d events, %d swaps, %d partitions", total, swaps, partitions)
	// A generation that handles an event after its successor has begun would be found, and one
	// that handles an event of its successor's again.
	late := slices.Repeat(versions["0"], 1)
	for n := 0; n <= swaps; n++ {
		late = append(late, fmt.Sprint("mark.v9", n))
	}
	twice := abi.Event{Topic: "mark.v9", ID: "probe-1-0", Source: "/somebody/else"}
	if _, err := w.r.Store().Append(context.Background(), []abi.Event{twice}, log.Durable); err != nil {
		t.Fatal(err)
	}
	if check(map[string][]string{"0": late}, nil, "") != "" && check(marks(t, w.r)) != "" {
		p.Breach()
	} else {
		t.Error("an event that two generations handle would not be noticed")
	}
}

// badSwap lets one bad version loose under load and says what it cost, "" if nothing.
func badSwap(t *testing.T, partitions int, swap string, bad hostile.Version) string {
	t.Helper()
	w := newSwapSiteOf(t, partitions, swap)
	defer func() {
		if t.Failed() {
			t.Logf("%s, %s, %d partitions: %+v", bad.Name, swap, partitions, w.status())
		}
	}()
	l := w.begin()
	w.more(60)
	good := w.status().Digest
	err := w.swap(bad.Wasm)
	var refused *runtime.RefusedError
	if err != nil && !errors.As(err, &refused) {
		t.Fatalf("%s: %v", bad.Name, err)
	}
	if err == nil { // it is in service: wait for what becomes of it
		eventually(t, func() bool {
			st := w.status()
			return st.RolledBack > 0 || st.DeadLetters > 2 || st.State == runtime.StateStopped
		})
	}
	if st := w.status(); st.State == runtime.StateStopped || st.DeadLetters > 2 {
		return fmt.Sprintf("the subscriber is %s, with %d dead letters: %s", st.State, st.DeadLetters, st.Reason)
	}
	w.more(60)
	l.stop()
	settled(t, w.r)
	st := w.status()
	_, missing, problem := marks(t, w.r)
	lost := letters(t, w.r)
	switch {
	case problem != "":
		return problem
	case lost != "":
		return "dead letters: " + lost
	case len(missing) > bad.Handles*partitions, len(missing) > 0 && refused != nil:
		return fmt.Sprintf("%d events were not handled as they should be", len(missing))
	case st.Digest != good || st.Problem == "":
		return fmt.Sprintf("%s runs, problem %q", st.Digest, st.Problem)
	case !strings.Contains(w.history(), ": refused") && !strings.Contains(w.history(), ": rolled back"):
		return "nothing is remembered: " + w.history()
	}
	if on, err := os.ReadFile(w.file()); err != nil || string(on) != string(bad.Wasm) {
		return "the file in the plugins folder was touched"
	}
	w.restart() // the refused module is still there, and not tried again
	if st := w.status(); st.Digest != good || st.Problem == "" {
		return fmt.Sprintf("after a restart %s runs, problem %q", st.Digest, st.Problem)
	}
	return ""
}

// TestBadVersions is P13: whatever is wrong with a new version, a rehearsal refuses it or it
// is rolled back by itself, and no event is lost.
func TestBadVersions(t *testing.T) {
	p := fault.Prove(t, "P13", "bad versions", "a bad new version is refused or rolls back by itself and costs no event")
	all := hostile.Versions()
	all = append(all, hostile.Version{Name: "emits-other", Wasm: probe(t, 2), Quiet: true})
	const shadow, canary = `{ mode = "shadow", events = 40, require = "same" }`, `{ mode = "canary", events = 100 }`
	rounds := max(fault.Size(t, 10, 200)/(3*len(all)), 1)
	for range rounds {
		for _, bad := range all {
			if cost := badSwap(t, 1, shadow, bad); cost != "" {
				t.Errorf("%s in a rehearsal: %s", bad.Name, cost)
			}
			p.Injected(1)
			if bad.Quiet { // nothing but a comparison finds it
				continue
			}
			for _, partitions := range []int{1, 3} {
				if cost := badSwap(t, partitions, canary, bad); cost != "" {
					t.Errorf("%s on trial in %d partitions: %s", bad.Name, partitions, cost)
				}
				p.Injected(1)
			}
		}
	}
	// Without a trial the same versions cost events or the subscriber.
	for _, bad := range all[:3] {
		if bad.Handles > 0 {
			continue
		}
		if cost := badSwap(t, 1, `{ mode = "immediate" }`, bad); cost == "" {
			t.Errorf("%s at once: no cost is noticed", bad.Name)
		} else {
			t.Logf("%s at once: %.100s", bad.Name, cost)
		}
	}
	p.Breach()
}

// TestGarbageIsRemembered: a file that is no module changes nothing while the node runs, and
// does not keep the last good generation from a restart.
func TestGarbageIsRemembered(t *testing.T) {
	w := newSwapSite(t, `{ mode = "immediate" }`)
	do(t, w.r, "add n 1")
	settled(t, w.r)
	var wrong *runtime.ManifestError
	if err := w.swap([]byte("garbage")); !errors.As(err, &wrong) {
		t.Fatalf("got %v, want a ManifestError", err)
	}
	if err := w.r.Reload(context.Background()); !errors.As(err, &wrong) {
		t.Fatalf("again: got %v, want a ManifestError", err)
	}
	w.wantHistory("1 manifest: in service, 2 file: refused")
	w.restart()
	do(t, w.r, "add n 1")
	settled(t, w.r)
	if st := w.status(); st.Generation != 1 || !strings.Contains(st.Problem, "not a WebAssembly module") || state(t, w.r, "probe", "n")[""] != 2 {
		t.Errorf("after a restart: %+v", st)
	}
	if err := w.swap(probe(t, 2)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { st := w.status(); return st.Generation == 3 && st.Problem == "" })
	w.wantHistory("1 manifest: replaced, 2 file: refused, 3 file: in service")
}

// TestTrialOverRestart: a trial that a restart interrupts is repeated, and ends.
func TestTrialOverRestart(t *testing.T) {
	w := newSwapSite(t, `{ mode = "canary", events = 5 }`)
	w.wantHistory("1 manifest: in service") // there is nothing to come back to
	if err := w.swap(probe(t, 2)); err != nil {
		t.Fatal(err)
	}
	do(t, w.r, "add n 1", "add n 1", "add n 1")
	settled(t, w.r)
	w.wantHistory("1 manifest: in service, 2 file: on trial")
	w.restart()
	if st := w.status(); st.Generation != 2 || !st.OnTrial {
		t.Fatalf("after a restart: %+v", st)
	}
	do(t, w.r, "add n 1", "add n 1", "add n 1", "trap")
	eventually(t, func() bool { return w.status().RolledBack == 1 })
	w.wantHistory("1 manifest: replaced, 2 file: rolled back, 3 automatic roll back: in service")
	eventually(t, func() bool { return letters(t, w.r) == "trap trap after 2" }) // of the old one's own making
	if err := w.swap(probe(t, 4)); err != nil {
		t.Fatal(err)
	}
	do(t, w.r, "add n 1", "add n 1", "add n 1", "add n 1", "add n 1")
	eventually(t, func() bool { return !w.status().OnTrial && w.status().Generation == 4 })
	w.wantHistory("1 manifest: replaced, 2 file: rolled back, 3 automatic roll back: replaced, 4 file: in service")
	if got := state(t, w.r, "probe", "n")[""]; got != 11 {
		t.Errorf("the state counts %d, want 11", got)
	}
}

// TestDeployAndRollback walks the verbs.
func TestDeployAndRollback(t *testing.T) {
	ctx := context.Background()
	w := newSwapSite(t, `{ mode = "shadow", events = 10, require = "same" }`)
	do(t, w.r, "mark", "add n 1")
	settled(t, w.r)
	first := w.status().Digest
	if d, err := w.r.Deploy(ctx, "probe", probe(t, 2), false); err != nil || d.Deployed || d.Report == nil || d.Report.Emits.Count != 1 {
		t.Fatalf("a module that emits something else: %+v, %v", d, err)
	}
	if d, err := w.r.Deploy(ctx, "probe", probe(t, 3), true); err != nil || d.Deployed || d.Report.Refused || w.status().Generation != 1 {
		t.Fatalf("a dry run: %+v, %v", d, err)
	}
	d, err := w.r.Deploy(ctx, "probe", probe(t, 3), false)
	if err != nil || !d.Deployed {
		t.Fatalf("%+v, %v", d, err)
	}
	w.wantHistory("1 manifest: replaced, 2 deploy: refused, 3 deploy: in service")
	w.manifest(`{ mode = "immediate" }`)
	if err := w.r.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	if d, err = w.r.Deploy(ctx, "probe", probe(t, 2), false); err != nil || !d.Deployed || d.Report != nil {
		t.Fatalf("%+v, %v", d, err)
	}
	if d, err = w.r.Rollback(ctx, "probe", 1); err != nil || d.Digest != first || d.Generation != 5 {
		t.Fatalf("to the first: %+v, %v", d, err)
	}
	if on, err := os.ReadFile(w.file()); err != nil || string(on) != string(probe(t, 1)) {
		t.Fatalf("the file is not what the first generation was: %v", err)
	}
	if d, err = w.r.Rollback(ctx, "probe", 0); err != nil || d.Generation != 6 {
		t.Fatalf("and forward again: %+v, %v", d, err)
	}
	for _, to := range []int{2, 77} { // refused, never there
		if _, err := w.r.Rollback(ctx, "probe", to); !errors.Is(err, runtime.ErrNotFound) {
			t.Errorf("to %d: %v", to, err)
		}
	}
	w.wantHistory("1 manifest: replaced, 2 deploy: refused, 3 deploy: replaced, 4 deploy: replaced, 5 rollback: replaced, 6 rollback: in service")
}
