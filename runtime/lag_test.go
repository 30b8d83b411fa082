package runtime_test

import (
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// TestLagOfWhatConcerns: a paused subscriber is behind by the events that concern it, and not
// by others.
func TestLagOfWhatConcerns(t *testing.T) {
	r := openProbe(t, probeManifest)
	if err := r.Pause(t.Context(), "probe", "test"); err != nil {
		t.Fatal(err)
	}
	lag := func() runtime.SubscriberStatus {
		t.Helper()
		st, err := r.Subscriber("probe")
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	publish := func(topics ...string) {
		t.Helper()
		for _, topic := range topics {
			if _, err := r.Publish(t.Context(), []abi.Event{{Topic: topic, Data: []byte("add n 1")}}, log.Accepted); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish("other", "other")
	if st := lag(); st.LagEvents != 0 || st.LagSeconds != 0 || st.State != runtime.StatePaused {
		t.Errorf("nothing concerns it, and it lags: %+v", st)
	}
	publish("do.this", "other")
	first := time.Now()
	st := lag()
	if st.LagEvents != 4 || st.LagSeconds <= 0 {
		t.Errorf("one event concerns it: %+v", st)
	}
	publish("do.this")
	if again := lag(); again.LagEvents != 5 || again.LagSeconds < st.LagSeconds || again.LagSeconds > time.Since(first).Seconds()+1 {
		t.Errorf("its age is that of the first: %v, then %v", st.LagSeconds, again.LagSeconds)
	}
	if err := r.Resume(t.Context(), "probe"); err != nil {
		t.Fatal(err)
	}
	settled(t, r)
	if st := lag(); st.LagEvents != 0 || st.LagSeconds != 0 {
		t.Errorf("it caught up: %+v", st)
	}
}
