package runtime_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/runtime"
)

// letters prints the key of each dead letter and why it is one, in order.
func (v *versionSite) letters() string {
	v.t.Helper()
	letters, err := v.r.DeadLetters(context.Background(), "tally", 0, 100)
	if err != nil {
		v.t.Fatal(err)
	}
	text := ""
	for _, d := range letters {
		text += fmt.Sprintf("%s: %s %s; ", d.Event.Key, d.Reason, d.Message)
	}
	return text
}

func (v *versionSite) wantLetters(when, want string) {
	v.t.Helper()
	if got := v.letters(); got != want {
		v.t.Errorf("dead letters %s\ngot  %s\nwant %s", when, got, want)
	}
}

func (v *versionSite) wantState(when, want string) {
	v.t.Helper()
	if got := v.state(); got != want {
		v.t.Errorf("state %s\ngot  %s\nwant %s", when, got, want)
	}
}

// payments are events of keys and amounts, in turn.
func payments(pairs ...string) (events []abi.Event) {
	for i := 0; i < len(pairs); i += 2 {
		events = append(events, abi.Event{Topic: "pay.in", Key: pairs[i], Data: []byte(pairs[i+1])})
	}
	return events
}

func (v *versionSite) send(key, data string) {
	v.t.Helper()
	v.publish(payments(key, data)...)
}

func (v *versionSite) rollback() {
	v.t.Helper()
	if _, err := v.r.Rollback(context.Background(), "tally", 0); err != nil {
		v.t.Fatal(err)
	}
	v.moved()
	v.settled()
}

// TestRollBackTakesLettersAlong: the dead letters that a rebuild made, or a replay on the version
// that it built, are of events that the version before has handled. They leave with the newer
// one, also after one was tried again by hand; those of both stay, and so do those that the newer
// one made of later events until the older one has handled these.
func TestRollBackTakesLettersAlong(t *testing.T) {
	const both, old = "a: reject no number; ", "n/a=1 n/b=13 n/c=14 n/e=13 "
	for name, meanwhile := range map[string]func(v *versionSite){
		"nothing": func(*versionSite) {},
		"restart": func(v *versionSite) { stop(v.t, v.r); v.start() },
		"redrive": func(v *versionSite) {
			if out, err := v.r.Redrive(context.Background(), "tally", 3, runtime.RedriveOptions{}); err != nil || out.Outcome != runtime.RedriveFailed {
				v.t.Errorf("redrive: %+v, %v", out, err)
			}
		},
		"drop": func(v *versionSite) {
			if n, err := v.r.DropDeadLetters(context.Background(), "tally", runtime.LetterFilter{Seqs: []abi.Seq{4}}); err != nil || len(n) != 1 {
				v.t.Errorf("drop: %v, %v", n, err)
			}
		},
		"replay": func(v *versionSite) { v.replay(runtime.ResetOptions{EmptyState: true}) },
		"emit again": func(v *versionSite) {
			v.replay(runtime.ResetOptions{EmptyState: true, ReEmit: true})
		},
		"drop all and replay": func(v *versionSite) {
			if _, err := v.r.DropDeadLetters(context.Background(), "tally", runtime.LetterFilter{Seqs: []abi.Seq{3, 4}}); err != nil {
				v.t.Error(err)
			}
			v.replay(runtime.ResetOptions{EmptyState: true})
		},
	} {
		for _, extra := range []string{"", "partitions = 3"} {
			t.Run(name+" "+extra, func(t *testing.T) {
				v := newVersionSite(t, extra)
				v.publish(payments("a", "1", "a", "x", "b", "13", "c", "14")...) // version 2 rejects 13 and traps on 14
				v.settled()
				v.change(2, "tally2")
				v.wantLetters("after the rebuild", both+"b: reject thirteen; c: trap unreachable; ")
				v.send("e", "13")
				v.settled()
				meanwhile(v)
				v.settled()
				v.rollback()
				v.wantLetters("after the roll back", both)
				v.wantState("after the roll back", old)
				v.change(2, "tally2")
				v.settled()
				v.wantLetters("of another rebuild", both+"b: reject thirteen; c: trap unreachable; e: reject thirteen; ")
			})
		}
	}
}

// redriveOne runs version 2 on the only dead letter there is.
func (v *versionSite) redriveOne(want string) {
	v.t.Helper()
	letters, err := v.r.DeadLetters(context.Background(), "tally", 0, 2)
	if err != nil || len(letters) != 1 {
		v.t.Fatalf("%d dead letters, %v, want one", len(letters), err)
	}
	out, err := v.r.Redrive(context.Background(), "tally", letters[0].Seq, runtime.RedriveOptions{Module: tally(v.t, "tally2")})
	if got := fmt.Sprint(out.Outcome, " ", len(out.Emits), " emitted, ", out.Dropped, " dropped"); err != nil || got != want {
		v.t.Errorf("redrive: %s, %v, want %s", got, err, want)
	}
}

// TestRollBackBringsLettersBack: a dead letter that the newer version handled, by hand or in a
// replay, is one again where the older one comes back, whose state does not have it; what it emitted
// is not appended again. One that an operator dropped meanwhile stays away.
func TestRollBackBringsLettersBack(t *testing.T) {
	for name, meanwhile := range map[string]func(v *versionSite) (letters string){
		"redrive": func(v *versionSite) string {
			v.redriveOne("done 1 emitted, 0 dropped")
			return "a: attempts later; "
		},
		"redrive and restart": func(v *versionSite) string {
			v.redriveOne("done 1 emitted, 0 dropped")
			stop(v.t, v.r)
			v.start()
			return "a: attempts later; "
		},
		"replay": func(v *versionSite) string {
			v.replay(runtime.ResetOptions{EmptyState: true})
			return "a: attempts later; "
		},
		"redrive, and the event leaves": func(v *versionSite) string {
			v.redriveOne("done 1 emitted, 0 dropped")
			trim(v.t, v.r, 4)
			return "a: attempts later; "
		},
		"drop": func(v *versionSite) string {
			if n, err := v.r.DropDeadLetters(context.Background(), "tally", runtime.LetterFilter{}); err != nil || len(n) != 1 {
				v.t.Errorf("drop: %v, %v", n, err)
			}
			return ""
		},
		"the version before is dropped": func(v *versionSite) string {
			v.redriveOne("done 1 emitted, 0 dropped")
			if _, _, err := v.r.DropKeptState(context.Background(), "tally"); err != nil {
				v.t.Error(err)
			}
			return ""
		},
	} {
		for _, extra := range []string{"", "partitions = 3"} {
			t.Run(name+" "+extra, func(t *testing.T) {
				v := newVersionSite(t, extra)
				v.send("a", "1")
				v.send("a", "99") // version 1 fails it
				v.send("b", "5")
				v.settled()
				v.wantLetters("before", "a: attempts later; ")
				v.change(2, "tally2")
				want := meanwhile(v)
				v.settled()
				if name == "the version before is dropped" {
					v.change(3, "tally2+1") // keeps version 2, which has handled it
					v.wantLetters("of version 3", want)
					return
				}
				v.rollback()
				v.settled()
				v.wantLetters("after the roll back", want)
				v.wantState("after the roll back", "n/a=1 n/b=5 ")
				if want == "" {
					return
				}
				v.redriveOne("done 0 emitted, 1 dropped")
				v.wantLetters("at the end", "")
				if name != "redrive, and the event leaves" {
					v.once(3)
				}
			})
		}
	}
}

func (v *versionSite) replay(opts runtime.ResetOptions) {
	v.t.Helper()
	v.settled()
	if _, err := v.r.Reset(context.Background(), "tally", opts); err != nil {
		v.t.Fatal(err)
	}
}

// TestTrialTakesLettersAlong: so it is where a generation on trial fails.
func TestTrialTakesLettersAlong(t *testing.T) {
	v := newVersionSite(t, `swap = { mode = "canary", events = 10 }`)
	v.send("a", "x")
	v.send("b", "13")
	v.settled()
	v.change(2, "tally2")
	v.wantLetters("after the rebuild", "a: reject no number; b: reject thirteen; ")
	v.send("k", "13")
	eventually(t, func() bool { st := v.status(); return st.StateVersion == 1 && st.Build == nil })
	v.settled()
	v.wantLetters("after the roll back", "a: reject no number; ")
	v.wantState("after the roll back", "n/b=13 n/k=13 ")
}

// TestLettersOfTwoVersions: what a rebuild gave up is a dead letter of its version like others
// once that is the one that is kept.
func TestLettersOfTwoVersions(t *testing.T) {
	v := newVersionSite(t, "")
	v.send("b", "13")
	v.settled()
	v.change(2, "tally2")
	v.change(3, "tally") // which takes it, but a rebuild leaves dead letters alone
	v.wantLetters("of version 3", "b: reject thirteen; ")
	v.rollback()
	if st := v.status(); st.StateVersion != 2 {
		t.Errorf("version %d", st.StateVersion)
	}
	v.wantLetters("after the roll back to version 2", "b: reject thirteen; ")
}

// TestRebuildHonoursDrops: an event whose dead letter was dropped is not in a state that is built
// anew, though the new module could handle it, and does not count as one that this fails.
func TestRebuildHonoursDrops(t *testing.T) {
	for _, extra := range []string{"", "partitions = 3"} {
		t.Run(extra, func(t *testing.T) {
			v := newVersionSite(t, extra)
			v.want(1, "tally2") // which gives 13 and 14 up
			if err := v.r.Reload(context.Background()); err != nil {
				t.Fatal(err)
			}
			v.publish(payments("a", "1", "a", "13", "b", "14", "b", "2", "b", "13")...)
			for range 2 * 75 {
				v.publish(payments("c", "x")...)
			}
			v.settled()
			drop := func(f runtime.LetterFilter) {
				if _, err := v.r.DropDeadLetters(context.Background(), "tally", f); err != nil {
					t.Fatal(err)
				}
			}
			drop(runtime.LetterFilter{Seqs: []abi.Seq{2, 3}})
			drop(runtime.LetterFilter{Fingerprint: v.fingerprintOf("no number")})
			v.change(2, "tally")
			if st := v.status(); st.StateVersion != 2 || st.Problem != "" {
				t.Fatalf("version %d, problem %q", st.StateVersion, st.Problem)
			}
			v.wantState("of the rebuild", "n/a=1 n/b=2 ")
			v.wantLetters("after it", "b: reject thirteen; ")
			// A reset handles all of the past, and what never brought anything forth emits now.
			v.replay(runtime.ResetOptions{EmptyState: true})
			v.settled()
			eventually(t, func() bool { return v.letterCount() == 150 })
			v.wantState("of a replay", "n/a=14 n/b=29 ")
			v.once(5)
			v.change(3, "tally2") // rebuilds what is in the state, and it is handled now
			v.wantState("of a rebuild after it", "acct/a=1 acct/b=2 grand=3 ")
		})
	}
}

// fingerprintOf returns that of the dead letters with a message.
func (v *versionSite) fingerprintOf(message string) string {
	v.t.Helper()
	letters, err := v.r.DeadLetters(context.Background(), "tally", 0, 1000)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, d := range letters {
		if d.Message == message {
			return d.Fingerprint
		}
	}
	v.t.Fatalf("no dead letter says %q", message)
	return ""
}

func (v *versionSite) letterCount() int {
	v.t.Helper()
	n, err := v.r.Store().LetterCount("tally")
	if err != nil {
		v.t.Fatal(err)
	}
	return n
}

// TestReplayTakesLettersAlong: a replay on a version that a migration made gives up events which
// the version before has handled, and may hold their keys.
func TestReplayTakesLettersAlong(t *testing.T) {
	v := newVersionSite(t, `on_poison = "block"`)
	v.publish(payments("a", "1", "b", "13", "b", "2")...)
	v.settled()
	v.change(2, "tally2-migrates")
	v.wantLetters("after the migration", "")
	v.replay(runtime.ResetOptions{EmptyState: true})
	eventually(t, func() bool { st := v.status(); return st.BlockedKeys == 1 && st.Cursor > 3 })
	v.wantLetters("after the replay", "b: reject thirteen; ")
	v.rollback()
	v.wantLetters("after the roll back", "")
	v.wantState("after the roll back", "n/a=1 n/b=15 ")
	if st := v.status(); st.BlockedKeys != 0 {
		t.Errorf("%d keys are blocked", st.BlockedKeys)
	}
	v.once(3)
}

// TestLetterOfWhatWaited: what waited behind a blocked key as the version changed, and the newer one
// gave up, is the older one's to handle, and emits then.
func TestLetterOfWhatWaited(t *testing.T) {
	v := newVersionSite(t, `retry = { attempts = 50, backoff = "1h..2h" }`)
	v.want(1, "tally")
	if err := v.r.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	v.publish(payments("d", "99", "d", "13", "e", "1")...) // version 1 tries 99 again in an hour
	eventually(t, func() bool { st := v.status(); return st.Cursor > 3 && st.BlockedKeys == 1 })
	v.extra = ""
	v.change(2, "tally2")
	v.settled()
	v.wantLetters("of version 2", "d: reject thirteen; ")
	v.wantState("of version 2", "acct/d=99 acct/e=1 grand=100 ")
	v.rollback()
	v.wantLetters("after the roll back", "d: attempts later; ")
	v.wantState("after the roll back", "n/d=13 n/e=1 ")
	v.once(3)
}
