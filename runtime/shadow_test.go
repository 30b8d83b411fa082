package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// storeDigest tells one state of a store from another: its end, the state and the letters.
func storeDigest(t *testing.T, r *runtime.Runtime) string {
	t.Helper()
	snapshot := r.Store().Snapshot()
	defer snapshot.Close()
	digest, err := snapshot.State("probe", 1).Digest()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(r.Store().Head(), digest, letters(t, r))
}

// TestShadow rehearses a module whose handling depends on the state and compares with what
// really came of the events: the same module must show no difference, from wherever it begins.
func TestShadow(t *testing.T) {
	ctx := context.Background()
	w := newSwapSite(t, `{ mode = "immediate" }`)
	var scripts []string
	for n := range 30 { // which depends on all that was before
		scripts = append(scripts, fmt.Sprintf("add n %d;mark", n), "set last x;scan n;get n", "del last;add m 1")
	}
	do(t, w.r, scripts...)
	do(t, w.r, "trap", "add n 1", "fail 2 no")
	settled(t, w.r)
	before := storeDigest(t, w.r)
	spans := map[string]runtime.Span{
		"by the manifest": {}, "the last": {Last: 7}, "from": {From: 40}, "from to": {From: 10, To: 20}, "dead letters": {DeadLetters: true},
	}
	for name, span := range spans {
		r, err := w.r.Shadow(ctx, "probe", probe(t, 3), span)
		if err != nil || r.Refused || r.Worse.Count+r.Better.Count+r.Emits.Count+r.State.Count != 0 || r.Events == 0 {
			t.Errorf("%s, the same behaviour: %+v, %v", name, r, err)
		}
		if strings.Contains(r.Basis, "as of seq") == span.DeadLetters {
			t.Errorf("%s: from %q", name, r.Basis)
		}
		if r, err = w.r.Shadow(ctx, "probe", probe(t, 2), span); err != nil || r.Refused || r.Worse.Count != 0 || (r.Emits.Count == 0) != span.DeadLetters && name != "the last" {
			t.Errorf("%s, other emits: %+v, %v", name, r, err)
		}
	}
	w.wantRealEnd()
	r, err := w.r.Shadow(ctx, "probe", probe(t, 3), runtime.Span{DeadLetters: true})
	if err != nil || r.Events != 2 || r.Old.Traps != 1 || r.New.Fails != 1 {
		t.Errorf("dead letters: %+v, %v", r, err)
	}
	for _, bad := range hostile.Versions() {
		r, err := w.r.Shadow(ctx, "probe", bad.Wasm, runtime.Span{})
		if bad.Name == "does-nothing" {
			if err != nil || r.Emits.Count == 0 || r.State.Count != 2 {
				t.Errorf("%s: %+v, %v", bad.Name, r, err)
			}
			continue
		}
		if err != nil || !r.Refused {
			t.Errorf("%s: %+v, %v", bad.Name, r, err)
		}
		if len(r.Reasons) > 0 && r.Worse.Count >= 10 && r.Cut == "" {
			t.Errorf("%s went on although the verdict was clear", bad.Name)
		}
	}
	var wrong *runtime.ManifestError
	if _, err := w.r.Shadow(ctx, "probe", []byte("garbage"), runtime.Span{}); !errors.As(err, &wrong) {
		t.Errorf("garbage: %v", err)
	}
	if _, err := w.r.Shadow(ctx, "nobody", probe(t, 2), runtime.Span{}); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	if after := storeDigest(t, w.r); after != before {
		t.Errorf("a rehearsal left a trace: %s, then %s", before, after)
	}
	w.wantHistory("1 manifest: in service")
}

// TestShadowWithoutUndo: where the state of then is not kept both begin with that of now,
// and the report says so.
func TestShadowWithoutUndo(t *testing.T) {
	w := newSwapSite(t, `{ mode = "immediate" }`)
	stop(t, w.r)
	w.r = openWith(t, runtime.Options{Manifest: w.dir + "/avxrt.toml", Log: log.Options{UndoBytes: -1}})
	do(t, w.r, "add n 1", "add n 2", "add n 3")
	settled(t, w.r)
	r, err := w.r.Shadow(context.Background(), "probe", probe(t, 3), runtime.Span{Last: 2})
	if err != nil || r.Events != 2 || !strings.HasPrefix(r.Basis, "the state of now") || r.State.Count != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// TestRehearsalIsNotRepeated: a refused module is looked at once, whatever else is reloaded,
// and a module that was mended is looked at anew.
func TestRehearsalIsNotRepeated(t *testing.T) {
	ctx := context.Background()
	w := newSwapSite(t, `{ mode = "shadow", events = 10 }`)
	do(t, w.r, "add n 1", "add n 1")
	settled(t, w.r)
	bad := hostile.Versions()[0].Wasm
	var refused *runtime.RefusedError
	if err := w.swap(bad); !errors.As(err, &refused) || refused.Subscriber != "probe" {
		t.Fatalf("got %v, want a RefusedError", err)
	}
	w.manifest(`{ mode = "shadow", events = 11 }`) // something else changes
	for range 3 {
		if err := w.r.Reload(ctx); err != nil {
			t.Fatalf("a reload that has nothing to refuse: %v", err)
		}
	}
	if st := w.status(); st.Refused != 1 || st.Generation != 1 || !strings.Contains(st.Problem, "was refused") {
		t.Errorf("%+v", st)
	}
	w.wantHistory("1 manifest: in service, 2 file: refused")
	if err := w.swap(probe(t, 1)); err != nil || w.status().Problem != "" { // the old file again
		t.Errorf("%v, %+v", err, w.status())
	}
	if err := w.swap(bad); !errors.As(err, &refused) && err != nil {
		t.Errorf("%v", err)
	}
}

// TestOverlayScan holds scans through laid-over writes against a map, with a guest that scans.
func TestOverlayScan(t *testing.T) {
	w := newSwapSite(t, `{ mode = "immediate" }`)
	do(t, w.r, "set p/b 1;set p/d 1;set p/f 1;set q 1", "del p/d;set p/a 2;set p/e 2;set p/g 2;set o 2", "scan p/;set seen 1", "set p/a 3;del p/g;scan p/;set p/z 1", "scan p/")
	settled(t, w.r)
	r, err := w.r.Shadow(context.Background(), "probe", probe(t, 3), runtime.Span{From: 1})
	if err != nil || r.State.Count != 0 || r.Old.Writes != 13 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// TestClosingWaitsForRehearsals closes a node while it rehearses.
func TestClosingWaitsForRehearsals(t *testing.T) {
	w := newSwapSite(t, `{ mode = "immediate" }`)
	do(t, w.r, slices.Repeat([]string{"add n 1"}, 500)...)
	settled(t, w.r)
	began, done := make(chan struct{}), make(chan error, 1)
	go func() {
		close(began)
		for {
			if _, err := w.r.Shadow(context.Background(), "probe", probe(t, 3), runtime.Span{}); err != nil {
				done <- err
				return
			}
		}
	}()
	<-began
	stop(t, w.r)
	if err := <-done; !errors.Is(err, runtime.ErrDraining) {
		t.Errorf("got %v, want ErrDraining", err)
	}
	if _, err := w.r.Deploy(context.Background(), "probe", probe(t, 2), false); !errors.Is(err, runtime.ErrDraining) {
		t.Errorf("deploy: got %v, want ErrDraining", err)
	}
	if on, err := os.ReadFile(w.file()); err != nil || string(on) != string(probe(t, 1)) {
		t.Error("the file was replaced")
	}
}

// wantRealEnd: the present generation ends where it really is, so it began with the state of
// then. A module that writes nothing shows that.
func (w *swapSite) wantRealEnd() {
	w.t.Helper()
	live := state(w.t, w.r, "probe", "n")[""]
	for _, bad := range hostile.Versions() {
		if bad.Name != "does-nothing" {
			continue
		}
		for _, span := range []runtime.Span{{}, {Last: 7}, {From: 40}, {From: 77}} {
			r, err := w.r.Shadow(context.Background(), "probe", bad.Wasm, span)
			ended := ""
			for _, d := range r.State.Shown {
				if d.Key == "n" {
					ended = strings.Join(d.Old, "")
				}
			}
			if err != nil || ended != fmt.Sprint(live) {
				w.t.Errorf("%+v: n ends as %q, want %d; %v", span, ended, live, err)
			}
		}
	}
}
