package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/fault"
)

// poisons are events that the probe guest fails, and how each ends.
var poisons = []struct{ script, reason string }{
	{"add n 1;trap", "trap"}, {"add n 1;fail 2 no", "reject"}, {"add n 1;fail 1 later", "attempts"}, {"add n 1;fail 1 later", "attempts"},
	{"add n 1;failonce", ""}, {"add n 1;traponce", ""}, // these come round
}

// poisonAttempts is how often each may be tried, however often the process is killed meanwhile.
const poisonAttempts = 3

// poisoned is a log of events, one in a hundred of which is poison.
type poisoned struct {
	events  []abi.Event
	letters map[uint64]string // reason by seq
	n       int64             // what good ones add up to
}

func poison(rng *rand.Rand, count int) poisoned {
	p := poisoned{letters: map[uint64]string{}}
	for i := range count * 100 {
		ev := abi.Event{Topic: "do.this", Key: fmt.Sprint("k", rng.IntN(50)), Data: []byte("add n 1"), ID: fmt.Sprint(i), Source: "/poison"}
		if rng.IntN(4) == 0 {
			ev.Key = ""
		}
		reason := ""
		if i%100 == 50 {
			bad := poisons[rng.IntN(len(poisons))]
			ev.Data, reason = []byte(bad.script), bad.reason
		}
		if reason != "" {
			p.letters[uint64(i)+1] = reason
		} else {
			p.n++
		}
		p.events = append(p.events, ev)
	}
	return p
}

// TestPoisonBlocksNobody gives the real program events of which one in a hundred traps,
// fails or asks for a retry, and kills it again and again meanwhile. In the end each
// poisoned event is a dead letter, once, for its own reason and after no more attempts than
// it has, and all others are handled, once. A node that drops poison is the planted breach.
func TestPoisonBlocksNobody(t *testing.T) {
	count := fault.Size(t, 1000, 100_000)
	p := fault.Prove(t, "P15", "poisoned events", "a poisoned event blocks nobody for more than its attempts and is never lost")
	rng := p.Rand()
	all := poison(rng, count)
	data := t.TempDir()
	n := start(t, poisonManifest(t, "park"), data)
	for i := 0; i < len(all.events); i += 1000 {
		if _, err := n.client.Publish(context.Background(), all.events[i:min(i+1000, len(all.events))], "durable"); err != nil {
			t.Fatal(err)
		}
	}
	for range min(max(3, count/50), 500) { // a start takes a second or two among ten million events
		time.Sleep(time.Duration(rng.Int64N(int64(100 * time.Millisecond)))) // the random wait is what is tested
		n.kill(t)
		n = start(t, poisonManifest(t, "park"), data)
	}
	p.Injected(len(all.letters))
	if problem := n.poisonGone(t, all); problem != "" {
		t.Error(problem)
	}
	n.drain(t)

	few := poison(rng, 2)
	few.letters[1] = "trap"
	few.n--
	few.events[0].Data = []byte("trap")
	n = start(t, poisonManifest(t, "skip"), t.TempDir())
	if _, err := n.client.Publish(context.Background(), few.events, "durable"); err != nil {
		t.Fatal(err)
	}
	if n.poisonGone(t, few) == "" {
		t.Error("a node that drops poison passes the test")
	} else {
		p.Breach()
	}
	n.drain(t)
}

// poisonGone waits until everything is dealt with and compares what came of it.
func (n *node) poisonGone(t *testing.T, want poisoned) string {
	t.Helper()
	n.idle(t)
	numbers, err := n.numbers("probe", "n")
	if err != nil {
		t.Fatal(err)
	}
	got := map[uint64]string{}
	for after := uint64(0); ; {
		page, err := n.client.DeadLetters(context.Background(), "probe", after, 1000, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page {
			got[d.Seq], after = d.Reason, d.Seq
			// A kill in the middle of an attempt costs that attempt, and no more than there are.
			if least := map[string]int{"trap": 2, "reject": 1, "attempts": poisonAttempts}[d.Reason]; d.Attempts < least || d.Attempts > poisonAttempts {
				return fmt.Sprintf("event %d was given up for %q after %d attempts, want %d to %d", d.Seq, d.Reason, d.Attempts, least, poisonAttempts)
			}
		}
		if len(page) == 0 {
			break
		}
	}
	for seq, reason := range want.letters {
		if got[seq] != reason {
			return fmt.Sprintf("event %d ended as %q, want %q", seq, got[seq], reason)
		}
	}
	if len(got) != len(want.letters) || numbers[""] != want.n {
		return fmt.Sprintf("%d dead letters and the sum %d, want %d and %d", len(got), numbers[""], len(want.letters), want.n)
	}
	return ""
}

func poisonManifest(t *testing.T, policy string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "plugins"), 0o700); err != nil {
		t.Fatal(err)
	}
	replaceFile(t, filepath.Join(dir, "plugins", "probe.wasm"), readFile(t, "../../internal/sandbox/testdata/probe.wasm"))
	path := filepath.Join(dir, "avxrt.toml")
	text := fmt.Sprintf(`[plugins]
watch = false
[[subscriber]]
name      = "probe"
module    = "probe.wasm"
topics    = ["do.*"]
emits     = ["out.*"]
retry     = { attempts = %d, backoff = "1ms..20ms" }
on_poison = %q
`, poisonAttempts, policy)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
