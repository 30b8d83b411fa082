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
	"github.com/avx-platform/avxrt/runtime"
)

// history prints number, cause, standing and state version of each generation.
func (v *versionSite) history() string {
	v.t.Helper()
	history, err := v.r.Generations("tally")
	if err != nil {
		v.t.Fatal(err)
	}
	var out []string
	for _, g := range history {
		out = append(out, fmt.Sprintf("%d v%d %s: %s", g.Number, g.StateVersion, g.Cause, g.Standing))
	}
	return strings.Join(out, ", ")
}

func (v *versionSite) wantHistory(want string) {
	v.t.Helper()
	if got := v.history(); got != want {
		v.t.Errorf("history\ngot  %s\nwant %s", got, want)
	}
}

// TestStateVersionRefused: a migration that drops the version, traps, spins or makes no progress
// leaves the old one as it was, and is not tried again, over a restart too, until the file changes.
func TestStateVersionRefused(t *testing.T) {
	for bad, why := range map[string]string{
		"tally2-bad1": "avx_migrate returned -3", "tally2-bad2": "avx_migrate trapped",
		"tally2-bad3": "", "tally2-bad4": "avx_migrate says that there is more to do and wrote nothing",
	} {
		t.Run(bad, func(t *testing.T) {
			v := newVersionSite(t, "")
			v.pay(60)
			v.settled()
			before := v.state()
			v.change(2, bad)
			v.pay(0)
			if st := v.status(); st.StateVersion != 1 || st.Generation != 1 || !strings.Contains(st.Problem, "state version 2 (migrate): "+why) {
				t.Fatalf("after the change: version %d, problem %q", st.StateVersion, st.Problem)
			}
			v.wantHistory("1 v1 manifest: in service, 2 v2 file: refused")
			stop(t, v.r)
			v.start()
			v.moved()
			if got := v.state(); got != before || v.status().Problem == "" {
				t.Errorf("state\ngot  %s\nwant %s (%s)", got, before, v.status().Problem)
			}
			v.wantHistory("1 v1 manifest: in service, 2 v2 file: refused")
			v.change(2, "tally2-migrates")
			v.pay(10)
			v.settled()
			if got, want := v.state(), freshState(t, 70); got != want || v.status().Problem != "" {
				t.Errorf("state of the mended one\ngot  %s\nwant %s", got, want)
			}
			v.once(70)
		})
	}
}

// TestBuildCrashes takes a copy of the store behind every commit of a migration and of a rebuild,
// which is what a crash there leaves, and goes on from each: all end the same.
func TestBuildCrashes(t *testing.T) {
	const events = 1500
	want := freshState(t, events+20)
	for _, module := range []string{"tally2-migrates", "tally2"} {
		t.Run(module, func(t *testing.T) {
			v := newVersionSite(t, "")
			v.pay(events)
			v.settled()
			stop(t, v.r)
			var copies []string
			var r *runtime.Runtime
			runtime.OnBuildStep(&v.opts, func() {
				dir := filepath.Join(t.TempDir(), "data", "log")
				if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
					t.Error(err)
				}
				if _, err := r.Store().Backup(context.Background(), dir); err != nil {
					t.Error(err)
				}
				copies = append(copies, dir)
			})
			v.want(2, module)
			var err error
			v.opts.Manifest = filepath.Join(v.dir, "avxrt.toml")
			if r, err = runtime.Open(v.opts); err != nil {
				t.Fatal(err)
			}
			v.r = runNode(t, r)
			v.moved()
			v.pay(20)
			v.settled()
			if got := v.state(); got != want {
				t.Fatalf("state\ngot  %s\nwant %s", got, want)
			}
			stop(t, v.r)
			if len(copies) < 5 {
				t.Fatalf("the build had %d commits only", len(copies))
			}
			for i, dir := range copies {
				w := &versionSite{t: t, dir: filepath.Dir(filepath.Dir(dir)), n: events}
				w.want(2, module)
				w.start()
				w.moved()
				w.pay(20)
				w.settled()
				if got := w.state(); got != want {
					t.Errorf("after a crash behind commit %d of %d\ngot  %s\nwant %s", i+1, len(copies), got, want)
				}
				w.once(events + 20)
				w.wantHistory("1 v1 manifest: replaced, 2 v2 file: in service")
				stop(t, w.r)
			}
		})
	}
}

// TestRebuildBesideFailures rebuilds over a past with dead letters, a key that is blocked, and
// events that the new version alone fails; and goes back, where that key is blocked again.
func TestRebuildBesideFailures(t *testing.T) {
	v := newVersionSite(t, `retry = { attempts = 50, backoff = "1h..2h" }`)
	v.want(1, "tally")
	send := func(key, data string) { v.publish(abi.Event{Topic: "pay.in", Key: key, Data: []byte(data)}) }
	send("a", "1")
	send("a", "x")  // a dead letter of both
	send("b", "13") // which version 2 rejects
	send("c", "14") // on which version 2 traps
	send("d", "99") // which version 1 tries again in an hour
	send("d", "5")  // and this waits behind it
	send("e", "2")
	eventually(t, func() bool { st := v.status(); return st.Cursor > 7 && st.BlockedKeys == 1 })
	v.change(2, "tally2")
	v.settled()
	if st := v.status(); st.StateVersion != 2 || st.BlockedKeys != 0 {
		t.Fatalf("after the rebuild: %+v", st)
	}
	if got, want := v.state(), "acct/a=1 acct/d=104 acct/e=2 grand=107 "; got != want {
		t.Errorf("state %s, want %s", got, want)
	}
	letters, err := v.r.DeadLetters(context.Background(), "tally", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, d := range letters {
		text += fmt.Sprintf("%s: %s %s replayed=%v; ", d.Event.Key, d.Reason, d.Message, d.Replayed)
	}
	if want := "a: reject no number replayed=false; b: reject thirteen replayed=true; c: trap unreachable replayed=true; "; text != want {
		t.Errorf("dead letters\ngot  %s\nwant %s", text, want)
	}
	v.once(6) // a, b, c and e by the old version, the two of d by the new one
	if _, err := v.r.Rollback(context.Background(), "tally", 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { st := v.status(); return st.Build == nil && st.BlockedKeys == 1 && st.LagEvents == 0 })
	if got, want := v.state(), "n/a=1 n/b=13 n/c=14 n/e=2 "; got != want {
		t.Errorf("state after the roll back %s, want %s", got, want)
	}
	v.once(6)
}

// TestRebuildGivesUp: a version that fails most of the past is refused.
func TestRebuildGivesUp(t *testing.T) {
	v := newVersionSite(t, "")
	for range 150 {
		v.publish(abi.Event{Topic: "pay.in", Key: "k", Data: []byte("13")})
	}
	v.settled()
	v.change(2, "tally2")
	if st := v.status(); st.StateVersion != 1 || !strings.Contains(st.Problem, "which the version in service has dealt with, fails: reject: thirteen (and 100 before it)") || st.DeadLetters != 0 {
		t.Errorf("version %d, %d dead letters, problem %q", st.StateVersion, st.DeadLetters, st.Problem)
	}
	if got := v.state(); got != "n/k=1950 " {
		t.Errorf("state %s", got)
	}
}

// TestStateVersionBack: a roll back brings the old state back where it was left; what was handled
// since is handled by the old version, too, and nothing is emitted twice.
func TestStateVersionBack(t *testing.T) {
	for _, extra := range []string{"", "partitions = 3"} {
		for _, module := range []string{"tally2", "tally2-migrates"} {
			t.Run(module+extra, func(t *testing.T) {
				plain := newVersionSite(t, "")
				plain.pay(180)
				plain.settled()
				want := plain.state()
				v := newVersionSite(t, extra)
				v.pay(100)
				v.settled()
				v.change(2, module)
				v.pay(50)
				v.settled()
				d, err := v.r.Rollback(context.Background(), "tally", 0)
				if err != nil || d.Move != "return" && v.status().StateVersion != 1 {
					t.Fatalf("roll back: %+v, %v", d, err)
				}
				v.moved()
				v.pay(20)
				v.settled()
				stop(t, v.r)
				v.start()
				v.pay(10)
				v.settled()
				if got := v.state(); got != want || v.status().StateVersion != 1 {
					t.Errorf("version %d\ngot  %s\nwant %s", v.status().StateVersion, got, want)
				}
				v.once(180)
				v.wantHistory("1 v1 manifest: replaced, 2 v2 file: replaced, 3 v1 rollback: in service")
				// The manifest still says 2, and is believed again with the next file.
				v.change(2, module)
				v.pay(20)
				v.settled()
				if got, want := v.state(), freshState(t, 200); got != want {
					t.Errorf("once more\ngot  %s\nwant %s", got, want)
				}
				v.once(200)
			})
		}
	}
}

// TestStateVersionOnTrial: an event that fails brings back the old version and its state.
func TestStateVersionOnTrial(t *testing.T) {
	v := newVersionSite(t, `swap = { mode = "canary", events = 10 }`)
	v.pay(50)
	v.settled()
	v.change(2, "tally2")
	v.pay(4)
	v.settled()
	if st := v.status(); !st.OnTrial || st.StateVersion != 2 {
		t.Fatalf("on trial: %+v", st)
	}
	v.publish(abi.Event{Topic: "pay.in", Key: "k", Data: []byte("13")})
	eventually(t, func() bool { st := v.status(); return st.StateVersion == 1 && st.Build == nil })
	v.settled()
	plain := newVersionSite(t, "")
	plain.pay(54)
	plain.publish(abi.Event{Topic: "pay.in", Key: "k", Data: []byte("13")})
	plain.settled()
	if got, want := v.state(), plain.state(); got != want {
		t.Errorf("state\ngot  %s\nwant %s", got, want)
	}
	v.once(55)
	v.wantHistory("1 v1 manifest: replaced, 2 v2 file: rolled back, 3 v1 automatic roll back: in service")
	if st := v.status(); st.RolledBack != 1 || st.DeadLetters != 0 || st.Problem == "" {
		t.Errorf("after the roll back: %+v", st)
	}
	stop(t, v.r)
	v.start()
	v.settled()
	if st := v.status(); st.StateVersion != 1 || st.Problem == "" {
		t.Errorf("after a restart: %+v", st)
	}
}

// TestRebuildNeedsThePast: what retention dropped cannot be rebuilt from.
func TestRebuildNeedsThePast(t *testing.T) {
	v := newVersionSite(t, "")
	for range 20 {
		v.pay(200)
	}
	v.settled()
	if _, err := v.r.Store().Trim(context.Background(), 1500, "test"); err != nil || v.r.Store().First() == 1 {
		t.Fatalf("trim: %v, first %d", err, v.r.Store().First())
	}
	v.change(2, "tally2")
	if st := v.status(); st.StateVersion != 1 || !strings.Contains(st.Problem, "left the log by retention; export avx_migrate") {
		t.Errorf("version %d, problem %q", st.StateVersion, st.Problem)
	}
	v.change(2, "tally2-migrates")
	if st := v.status(); st.StateVersion != 2 || st.Problem != "" {
		t.Errorf("version %d, problem %q", st.StateVersion, st.Problem)
	}
}

// TestKeptState: the old state is there until it is dropped.
func TestKeptState(t *testing.T) {
	v := newVersionSite(t, "")
	v.pay(30)
	v.settled()
	if _, _, err := v.r.DropKeptState(context.Background(), "tally"); !errors.Is(err, runtime.ErrNotFound) && err == nil {
		t.Errorf("nothing is kept yet: %v", err)
	}
	v.change(2, "tally2")
	version, keys, err := v.r.DropKeptState(context.Background(), "tally")
	if err != nil || version != 1 || keys != 23 {
		t.Errorf("dropped version %d with %d keys, %v", version, keys, err)
	}
	if _, err := v.r.Rollback(context.Background(), "tally", 0); err == nil || !strings.Contains(err.Error(), "state version 1, which is not kept") {
		t.Errorf("roll back to what was dropped: %v", err)
	}
}
