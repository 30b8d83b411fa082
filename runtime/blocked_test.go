package runtime_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// openFile opens and runs a node whose manifest is a file, which Reload reads again.
func openFile(t *testing.T, dir, manifest string) (r *runtime.Runtime, end func()) {
	t.Helper()
	path := filepath.Join(dir, "avxrt.toml")
	if err := os.WriteFile(path, []byte("[plugins]\nwatch = false\n"+manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := runtime.Open(compileOnce(t, runtime.Options{Manifest: path, Modules: probeModules(t)}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(end)
	return r, end
}

const patient = `
[[subscriber]]
name   = "probe"
module = "probe.wasm"
topics = ["do.*"]
emits  = ["out.*"]
retry  = { attempts = 3, backoff = "1h..1h" }
`

func publishKeyed(t *testing.T, r *runtime.Runtime, keyed ...string) {
	t.Helper()
	var events []abi.Event
	for i := 0; i < len(keyed); i += 2 {
		events = append(events, abi.Event{Topic: "do.this", Key: keyed[i], Data: []byte(keyed[i+1])})
	}
	if _, err := r.Publish(context.Background(), events, log.Durable); err != nil {
		t.Fatal(err)
	}
}

// outputs returns what came out, in order.
func outputs(t *testing.T, r *runtime.Runtime) []string {
	t.Helper()
	reader := r.Store().NewReader(log.ReadOptions{From: 1, Match: func(topic string) bool { return topic == "out.x" }})
	defer reader.Close()
	var all []string
	for ev := (abi.Event{}); reader.Next(&ev); {
		all = append(all, fmt.Sprintf("%s %s", ev.Key, ev.Data))
	}
	return all
}

func want(t *testing.T, r *runtime.Runtime, emits []string, blocked int) {
	t.Helper()
	var got []string
	eventually(t, func() bool {
		got = outputs(t, r)
		s, err := r.Subscriber("probe")
		return err == nil && len(got) >= len(emits) && s.LagEvents == 0 && s.BlockedKeys == blocked
	})
	if diff := cmp.Diff(emits, got); diff != "" {
		t.Errorf("emitted (-want +got):\n%s", diff)
	}
}

// TestBlockedKey: while an event of key a waits an hour for its next attempt, other keys and
// events without one are handled; a's later events wait, also over a restart, and run in
// their order when a new generation gives them another try.
func TestBlockedKey(t *testing.T) {
	dir := t.TempDir()
	r, end := openFile(t, dir, patient)
	publishKeyed(t, r, "a", "failonce;emit out.x 1", "b", "emit out.x 2", "a", "emit out.x 3", "", "emit out.x 4", "a", "emit out.x 5")
	want(t, r, []string{"b 2", " 4"}, 1)
	end()
	r, _ = openFile(t, dir, patient)
	if st, err := r.Subscriber("probe"); err != nil || st.PassedOver != 2 {
		t.Errorf("%d events wait behind a blocked key after a restart, want 2 (%v)", st.PassedOver, err)
	}
	publishKeyed(t, r, "a", "emit out.x 6", "b", "emit out.x 7")
	want(t, r, []string{"b 2", " 4", "b 7"}, 1)
	path := filepath.Join(dir, "avxrt.toml")
	if err := os.WriteFile(path, []byte("[plugins]\nwatch = false\n"+patient+"config = { greeting = \"again\" }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	want(t, r, []string{"b 2", " 4", "b 7", "a 1", "a 3", "a 5", "a 6"}, 0)
}

// TestBlockPolicy: with on_poison = "block" the key of a dead letter waits, and no other.
func TestBlockPolicy(t *testing.T) {
	r, _ := openFile(t, t.TempDir(), patient+`on_poison = "block"`)
	publishKeyed(t, r, "a", "fail 2 no", "b", "emit out.x 1", "a", "emit out.x 2", "", "fail 2 no", "", "emit out.x 3")
	want(t, r, []string{"b 1", " 3"}, 2)
	if got := letters(t, r); got != "fail 2 no reject after 1, fail 2 no reject after 1" {
		t.Errorf("dead letters %q", got)
	}
}

// TestKilled: an event whose attempts all ended with the process is a dead letter, and does
// not run again. One that has attempts left does.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	store, err := log.Open(filepath.Join(dir, "data", "log"), log.Options{})
	if err != nil {
		t.Fatal(err)
	}
	events := []abi.Event{{Topic: "do.this", Key: "a", Data: []byte("emit out.x 1")}, {Topic: "do.this", Key: "a", Data: []byte("emit out.x 2")}}
	if _, err := store.Append(t.Context(), append(events, events...), log.Durable); err != nil {
		t.Fatal(err)
	}
	at, err := store.Attach(t.Context(), log.Attachment{Subscriber: "probe", Next: 1})
	if err != nil {
		t.Fatal(err)
	}
	rows := []log.ParkedChange{{Parked: log.Parked{Key: "a", First: 1, Version: 1, Attempts: 3, Running: true}}}
	if _, err := store.Commit(t.Context(), &log.Commit{Subscriber: "probe", StateVersion: 1, From: 1, To: 1, Fence: at.Fence, Parked: rows}, log.Durable); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	r, _ := openFile(t, dir, patient)
	want(t, r, []string{"a 2", "a 1", "a 2"}, 0)
	if got := letters(t, r); got != "emit out.x 1 killed after 3" {
		t.Errorf("dead letters %q", got)
	}
}
