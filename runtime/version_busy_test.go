package runtime_test

import (
	"context"
	"errors"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// TestRebuildUnderLoad rebuilds while events come, the partitions are changed, and an operator
// resets the subscriber in the middle: the state is that of a fresh run, and each event is emitted
// for once.
func TestRebuildUnderLoad(t *testing.T) {
	v := newVersionSite(t, "partitions = 2")
	v.pay(4000)
	v.settled()
	stop(t, v.r)
	reached, goOn := v.holdBuild(5)
	v.want(2, "tally2")
	v.start()
	<-reached
	v.pay(500)
	v.settled() // beside the build, which is held
	if st := v.status(); st.StateVersion != 1 || st.Build == nil || st.Build.Kind != "rebuild" || st.State != runtime.StateRunning {
		t.Fatalf("while it is built: %+v", st)
	}
	close(goOn)
	v.extra = "partitions = 3"
	v.want(2, "tally2")
	if err := v.r.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := v.r.Reset(context.Background(), "tally", runtime.ResetOptions{EmptyState: true}); err != nil {
		t.Fatal(err)
	}
	v.pay(500)
	v.moved()
	v.settled()
	eventually(t, func() bool { st := v.status(); return st.StateVersion == 2 && st.Partitions == 3 })
	if got, want := v.state(), freshState(t, 5000); got != want {
		t.Errorf("state\ngot  %s\nwant %s", got, want)
	}
	v.once(5000)
}

// TestRebuildWaitsForABlockedKey: a rebuild that is far behind waits where a key is blocked, and
// a dead letter is not redriven meanwhile; what was freed is in the new state.
func TestRebuildWaitsForABlockedKey(t *testing.T) {
	v := newVersionSite(t, `on_poison = "block"`)
	v.publish(abi.Event{Topic: "pay.in", Key: "bad", Data: []byte("x")}, abi.Event{Topic: "pay.in", Key: "bad", Data: []byte("7")})
	v.pay(2500)
	eventually(t, func() bool { st := v.status(); return st.Cursor > 2500 && st.BlockedKeys == 1 && st.LagEvents == 0 })
	v.want(2, "tally2")
	if err := v.r.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { st := v.status(); return st.Build != nil && st.Build.WaitsFor != "" })
	if _, err := v.r.Redrive(context.Background(), "tally", 1, runtime.RedriveOptions{}); !errors.Is(err, runtime.ErrRebuilding) {
		t.Errorf("a redrive meanwhile: %v", err)
	}
	if n, err := v.r.DropDeadLetters(context.Background(), "tally", runtime.LetterFilter{}); err != nil {
		t.Fatalf("drop: %v, %v", n, err)
	}
	v.moved()
	v.settled()
	if st := v.status(); st.StateVersion != 2 || st.Problem != "" {
		t.Errorf("after the rebuild: %+v", st)
	}
	plain := &versionSite{t: t, dir: t.TempDir(), opts: runtime.Options{}}
	plain.want(2, "tally2")
	plain.start()
	plain.publish(abi.Event{Topic: "pay.in", Key: "bad", Data: []byte("7")})
	plain.pay(2500)
	plain.settled()
	if got, want := v.state(), plain.state(); got != want {
		t.Errorf("state\ngot  %s\nwant %s", got, want)
	}
}

// TestRebuildSparesRetention: age lets nothing go that a rebuild has yet to handle, and events of
// topics that are gone refuse it.
func TestRebuildSparesRetention(t *testing.T) {
	v := newVersionSite(t, "")
	v.pay(20)
	v.settled()
	gone := log.TopicRetention{Pattern: "pay.*", Match: func(topic string) bool { return topic == "pay.in" }, MaxAge: 1}
	if report, err := v.r.Store().Retain(context.Background(), log.Retention{Topics: []log.TopicRetention{gone}}); err != nil || report.Events == 0 {
		t.Fatalf("retain: %+v, %v", report, err)
	}
	v.change(2, "tally2")
	if st := v.status(); st.StateVersion != 1 || st.Problem == "" {
		t.Errorf("version %d, problem %q", st.StateVersion, st.Problem)
	}
}
