package log_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/log"
)

// histories prints what is known of a subscriber.
func histories(t *testing.T, l *log.Log, subscriber string) string {
	t.Helper()
	history, err := l.Generations(subscriber)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, g := range history {
		out = append(out, fmt.Sprintf("%d %s %s", g.Number, g.Module, g.Standing))
	}
	return strings.Join(out, ", ")
}

// add is a revision that replaces what is in service.
func add(subscriber string, g log.Generation) log.Revision {
	return log.Revision{Subscriber: subscriber, Change: func(history []log.Generation) []log.Generation {
		for i := range history {
			if history[i].Standing == log.InService && g.Standing == log.InService {
				history[i].Standing = log.Replaced
			}
		}
		return append(history, g)
	}}
}

func saveModule(t *testing.T, l *log.Log, wasm []byte) string {
	t.Helper()
	digest, err := l.SaveModule(ctx, wasm)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// TestGenerations keeps a history with its modules over a restart, a fork and its own end.
func TestGenerations(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, log.Options{})
	large := bytes.Repeat([]byte("0123456789"), 100_000) // four pieces
	first, second := saveModule(t, l, large), saveModule(t, l, []byte("second"))
	equal(t, "the same bytes again", saveModule(t, l, large), first)
	revise := func(r ...log.Revision) {
		t.Helper()
		if _, err := l.Revise(ctx, r...); err != nil {
			t.Fatal(err)
		}
	}
	revise(add("s", log.Generation{Digest: first, Module: "one", Standing: log.InService}),
		add("other", log.Generation{Digest: second, Module: "two", Standing: log.InService}))
	appendOK(t, l, log.Durable, event("a", "", "1"))
	appendOK(t, l, log.Durable, event("a", "", "2"))
	revise(add("s", log.Generation{Digest: second, Module: "two", Cause: "deploy", Reason: "because", Seq: 7, Standing: log.InService}))
	_, err := l.Revise(ctx, add("s", log.Generation{Digest: "sha256:" + strings.Repeat("0", 64), Standing: log.InService}))
	if !errors.Is(err, log.ErrNotFound) {
		t.Fatalf("a generation without its module: %v", err)
	}
	fork := filepath.Join(t.TempDir(), "fork")
	if _, err := l.Fork(ctx, fork, 1); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	l = open(t, dir, log.Options{})
	equal(t, "after a restart", histories(t, l, "s"), "1 one replaced, 2 two in service")
	history, _ := l.Generations("s")
	g := history[1]
	equal(t, "all of a row", fmt.Sprintf("%v %s %s %d %v", g.Digest == second, g.Cause, g.Reason, g.Seq, g.Time.IsZero()), "true deploy because 7 false")
	wasm, err := l.Module(first)
	equal(t, "a module of many pieces", fmt.Sprint(bytes.Equal(wasm, large), err), "true <nil>")
	f := open(t, fork, log.Options{})
	equal(t, "in a fork from before the second", histories(t, f, "s"), "1 one in service")

	for range log.KeptGenerations {
		revise(add("s", log.Generation{Digest: second, Module: "two", Standing: log.Refused}))
	}
	history, _ = l.Generations("s")
	equal(t, "what is kept", fmt.Sprint(len(history), history[0].Number), fmt.Sprint(log.KeptGenerations, 3))
	if _, err := l.Module(first); !errors.Is(err, log.ErrNotFound) {
		t.Fatalf("a module that nobody has: %v", err)
	}
	if _, err := l.Module(second); err != nil {
		t.Fatalf("a module that another subscriber has: %v", err)
	}
	for _, name := range []string{"s", "other"} {
		if _, err := l.Attach(ctx, log.Attachment{Subscriber: name, Next: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.DropSubscriber(ctx, name); err != nil {
			t.Fatal(err)
		}
		equal(t, "of a dropped subscriber", histories(t, l, name), "")
	}
	if _, err := l.Module(second); !errors.Is(err, log.ErrNotFound) {
		t.Fatalf("a module of which the last subscriber was dropped: %v", err)
	}
}
