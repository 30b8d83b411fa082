package sandbox_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// replayGuest is a guest of P11, and how many events a log of it has at most.
type replayGuest struct {
	name   string
	wasm   []byte
	events int
}

// strange are hostile guests that do what engines and machines could do differently: floats, vectors,
// memory that does not grow, depth, tables, traps, randomness and clocks.
var strange = []string{
	"vectors", "square-roots", "divide", "straight", "recurse", "recurse-spills", "recurse-vectors", "recurse-1800-and-return",
	"grow-one", "grow-all", "fill-outside", "copy-outside", "take-references", "many-references", "loop-table", "lanes",
}

// replayGuests are those in C, Rust and Go that the project has, and the strange ones.
func replayGuests(t testing.TB) (all []replayGuest) {
	t.Helper()
	files, err := filepath.Glob("../../plugins/*.wasm")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, probe, "testdata/planted.wasm", "../../examples/01-hello-subscriber/plugins/hello.wasm", "../../runtime/testdata/ledger.wasm")
	for _, path := range files {
		g := replayGuest{strings.TrimSuffix(filepath.Base(path), ".wasm"), readFile(t, path), 20}
		if len(g.wasm) > 1<<20 { // a program in Go: the interpreter takes long to start it
			g.events = 3
		}
		all = append(all, g)
	}
	for _, name := range strange {
		n := slices.IndexFunc(hostile.Guests(), func(g hostile.Guest) bool { return g.Name == name })
		if n < 0 {
			t.Fatalf("there is no guest %s", name)
		}
		all = append(all, replayGuest{name, hostile.Guests()[n].Wasm, 3})
	}
	if len(all) < 20 {
		t.Fatalf("%d guests, P11 wants 20", len(all))
	}
	return all
}

// replayLog makes events of all kinds: orders, statements of the probe and amounts, numbers and noise.
func replayLog(r *rand.Rand, most int) []abi.Event {
	// How much memory a guest has got is the one thing that it may know of its past, so the probe does not say it.
	scripts := slices.DeleteFunc(cutScripts(), func(script string) bool { return strings.HasPrefix(script, "grow ") })
	events := make([]abi.Event, 1+r.IntN(most))
	for n := range events {
		ev := abi.Event{
			Seq: abi.Seq(n + 1), Topic: []string{"orders.placed", "orders.cancelled", "pay.in", "do.this"}[r.IntN(4)],
			Key: fmt.Sprint("k", r.IntN(3)), ID: fmt.Sprint(n), Source: "/replay", Time: 1_700_000_000_000_000_000 + r.Int64N(1e15), Attempt: 1,
		}
		switch r.IntN(4) {
		case 0:
			order := map[string]any{"order": fmt.Sprint(r.IntN(9)), "country": "EIRE", "customer": "c@example.com",
				"lines": []map[string]any{{"sku": fmt.Sprint(r.IntN(5)), "name": "MUG", "qty": r.IntN(9) - 2, "cents": r.IntN(999)}}}
			ev.Data, _ = json.Marshal(order) // of such values it does not fail
		case 1:
			ev.Data = []byte(scripts[r.IntN(len(scripts))])
		case 2:
			ev.Data = []byte(fmt.Sprint(r.IntN(1000)))
		default:
			ev.Data = make([]byte, r.IntN(200))
			for k := range ev.Data {
				ev.Data[k] = byte(r.Uint32())
			}
		}
		events[n] = ev
	}
	return events
}

// told is what came of a log, as digests of every byte, and how many events had effects.
type told struct {
	effects string // emits, replies, failures, and the state at the end
	fuel    string
	busy    int
}

// replay runs a log, with a new instance for each event or on one as long as that is of use.
func replay(t testing.TB, m *sandbox.Module, subscriber string, events []abi.Event, fresh bool) (out told) {
	t.Helper()
	config := testConfig
	config.Subscriber, config.Limits = subscriber, sandbox.Limits{Fuel: 300_000_000, Time: time.Hour, Memory: 32 << 20}
	if slices.Contains(strange, subscriber) {
		config.Limits.Fuel = 200_000
	}
	config.Grants = func(string) bool { return true }
	state, sum, fuel := memState{"k": "v", "p/1": "x"}, sha256.New(), sha256.New()
	var instance *sandbox.Instance
	done := func() {
		if instance != nil {
			_ = instance.Close(context.Background())
			instance = nil
		}
	}
	defer done()
	for n := range events {
		if instance == nil {
			var err error
			if instance, err = m.Instantiate(context.Background(), config, state); err != nil {
				t.Fatal(err)
			}
		}
		given := false
		result := instance.Run(context.Background(), sandbox.Batch{State: state, Next: func() *abi.Event {
			if given {
				return nil
			}
			given = true
			ev := events[n]
			return &ev
		}})
		writeResult(sum, result)
		fmt.Fprintln(fuel, result.Fuel)
		if len(result.Emits)+len(result.Writes) > 0 {
			out.busy++
		}
		state.apply(result.Writes)
		if fresh || !instance.Usable() {
			done()
		}
	}
	for _, k := range slices.Sorted(maps.Keys(state)) {
		fmt.Fprintf(sum, "%q=%q\n", k, state[k])
	}
	out.effects, out.fuel = hex.EncodeToString(sum.Sum(nil)), hex.EncodeToString(fuel.Sum(nil))
	return out
}

// writeResult adds every byte of a result but its fuel.
func writeResult(sum hash.Hash, r sandbox.Result) {
	fmt.Fprintf(sum, "handled %d of %d, reply %q\n", r.Handled, r.Pulled, r.Reply)
	for _, e := range r.Emits {
		fmt.Fprintf(sum, "emit %+v\n", e)
	}
	if r.Failure != nil {
		fmt.Fprintf(sum, "failure %+v\n", *r.Failure)
	}
	if r.Trap != nil {
		fmt.Fprintf(sum, "trap %s\n", r.Trap.Kind)
	}
}

// replayAll runs logs of every guest in turn, the same way each time for a seed, and returns for each
// guest a digest of all that came of its logs. Every log is run on both engines with a fresh instance for each event,
// and on one that stays; all must come to the same.
func replayAll(t testing.TB, r *rand.Rand, logs int) map[string]string {
	t.Helper()
	all, guests := engines(t), replayGuests(t)
	modules := make([]map[string]*sandbox.Module, len(guests))
	sums, total, busy := map[string]hash.Hash{}, 0, 0
	for n := range logs {
		g := guests[n%len(guests)]
		if modules[n%len(guests)] == nil {
			modules[n%len(guests)] = map[string]*sandbox.Module{}
			for name, e := range all {
				m, err := e.Load(context.Background(), g.name, g.wasm)
				if err != nil {
					t.Fatal(err)
				}
				modules[n%len(guests)][name] = m
			}
			sums[g.name] = sha256.New()
		}
		events, m := replayLog(r, g.events), modules[n%len(guests)]
		first := replay(t, m["compiler"], g.name, events, true)
		if again := replay(t, m["compiler"], g.name, events, true); again != first {
			t.Fatalf("%s, log %d: again on the compiler it came to something else", g.name, n)
		}
		if other := replay(t, m["interpreter"], g.name, events, true); other != first {
			t.Fatalf("%s, log %d: on the interpreter it came to something else", g.name, n)
		}
		kept := replay(t, m["compiler"], g.name, events, false)
		if kept.effects != first.effects {
			t.Fatalf("%s, log %d: on one instance it came to something else than on a fresh one for each event", g.name, n)
		}
		if other := replay(t, m["interpreter"], g.name, events, false); other != kept {
			t.Fatalf("%s, log %d: on one instance of the interpreter it came to something else", g.name, n)
		}
		fmt.Fprintln(sums[g.name], first, kept)
		total += len(events)
		busy += first.busy
	}
	if t.Logf("%d of %d events changed or emitted something", busy, total); busy < total/10 {
		t.Error("the logs show too little of the guests")
	}
	digests := map[string]string{}
	for name, sum := range sums {
		digests[name] = hex.EncodeToString(sum.Sum(nil))
	}
	return digests
}

// replayLogs is enough for each guest to have a log where a tenth of them runs.
const replayLogs = 300

// TestReplay is P11 on one machine: the same log and module give the same bytes, on both
// engines and again, with the same fuel on fresh instances. The digests that it prints are
// what [TestReplayOnArm64] compares.
func TestReplay(t *testing.T) {
	p := fault.Prove(t, "P11", "random logs of 20 guests and more, run on both engines and again", "the same log and module give the same state, byte for byte, and the same fuel")
	logs := fault.Size(t, replayLogs, 10_000)
	for name, digest := range replayAll(t, p.Rand(), logs) {
		t.Logf("%s%s %s", replayDigest, name, digest)
	}
	p.Injected(logs)
	m := load(t, newEngine(t), probe)
	events := replayLog(p.Rand(), 20)
	first := replay(t, m, "probe", events, true)
	// Planted breaches: another event, another order of randomness, a byte of state.
	more := append(slices.Clone(events), abi.Event{Seq: 99, Topic: "do.this", Attempt: 1, Data: []byte("rand")})
	seeded := replay(t, m, "probe", more, true)
	if seeded == first || replay(t, m, "another", more, true) == seeded {
		t.Error("another log, or other randomness, came to the same")
	} else {
		p.Breach()
	}
}

const replayDigest = "replay digest: "

// digestsIn finds what TestReplay printed.
func digestsIn(output string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(output) {
		if _, after, ok := strings.Cut(line, replayDigest); ok {
			name, digest, _ := strings.Cut(strings.TrimSpace(after), " ")
			found[name] = digest
		}
	}
	return found
}

// TestReplayOnArm64 is P11 from machine to machine: the same logs here and on arm64, which
// qemu emulates, give the same bytes and the same fuel. Without qemu it says that it did not run, and
// then nothing but TestReplay speaks for P11.
func TestReplayOnArm64(t *testing.T) {
	if goruntime.GOARCH != "amd64" {
		t.Skip("it compares amd64 with arm64, and starts on amd64")
	}
	fault.SkipSmall(t)
	qemu, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		t.Skip("P11 was shown on amd64 only: there is no qemu-aarch64-static (apt-get install qemu-user-static)")
	}
	p := fault.Prove(t, "P11", "random logs on amd64 and on arm64 under qemu", "the same log and module give the same state, byte for byte, on amd64 and arm64")
	binary := filepath.Join(t.TempDir(), "arm64.test")
	build := exec.Command("go", "test", "-c", "-o", binary, ".")
	build.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	seed, logs := p.Rand().Uint64()>>1, fault.Size(t, replayLogs, replayLogs)
	here := replayAll(t, rand.New(rand.NewPCG(seed, 0)), logs)
	run := exec.Command(qemu, binary, "-test.run", "^TestReplay$", "-test.v", "-test.timeout", "60m")
	run.Env = append(os.Environ(), fmt.Sprintf("AVXRT_SEED=%d", seed), "AVXRT_FAULTS=ci", "AVXRT_RELIABILITY=")
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("on arm64: %v\n%s", err, out)
	}
	there := digestsIn(string(out))
	if len(there) < 20 || len(there) != len(here) {
		t.Fatalf("%d guests here, %d on arm64:\n%s", len(here), len(there), out)
	}
	for name, digest := range here {
		if there[name] != digest {
			t.Errorf("%s: %s here, %s on arm64 (seed %d)", name, digest, there[name], seed)
		}
	}
	p.Injected(logs)
	// The planted breach: other logs are told from these.
	for name, digest := range replayAll(t, rand.New(rand.NewPCG(seed+1, 0)), len(here)) {
		if digest != there[name] {
			p.Breach()
			return
		}
	}
	t.Error("other logs came to the same")
}
