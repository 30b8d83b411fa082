package runtime_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// TestShadowPartitions rehearses for a subscriber of several partitions, most of which never had
// an event: what its one busy partition dealt with is the history that a bad module must fail.
func TestShadowPartitions(t *testing.T) {
	ctx := context.Background()
	w := newSwapSiteOf(t, 4, `{ mode = "shadow", events = 10 }`)
	events := make([]abi.Event, 20)
	for i := range events {
		events[i] = abi.Event{Topic: "do.this", Key: "the same", Data: []byte("add n 1;mark")}
	}
	if _, err := w.r.Publish(ctx, events, log.Accepted); err != nil {
		t.Fatal(err)
	}
	settled(t, w.r)
	for want, span := range map[int]runtime.Span{10: {}, 3: {Last: 3}, 5: {From: seqOf(t, w.r, 16)}, 20: {From: 1}} {
		r, err := w.r.Shadow(ctx, "probe", probe(t, 3), span)
		if err != nil || r.Events != want || r.Refused || r.Emits.Count+r.State.Count+r.Worse.Count != 0 {
			t.Errorf("%+v, the same behaviour: %+v, %v; want %d events", span, r, err, want)
		}
		if !strings.HasPrefix(r.Basis, "the state of now") || !strings.Contains(r.Basis, "partitions") {
			t.Errorf("%+v: it begins with %q", span, r.Basis)
		}
	}
	var refused *runtime.RefusedError
	if err := w.swap(hostile.Versions()[0].Wasm); !errors.As(err, &refused) {
		t.Fatalf("a module that traps: got %v, want a RefusedError", err)
	}
}

// seqOf returns the seq of the n-th event (from 1) that was published.
func seqOf(t *testing.T, r *runtime.Runtime, n int) abi.Seq {
	t.Helper()
	reader := r.Store().NewReader(log.ReadOptions{Match: func(topic string) bool { return topic == "do.this" }})
	defer reader.Close()
	var ev abi.Event
	for ; n > 0; n-- {
		if !reader.Next(&ev) {
			t.Fatal("the log has no such event")
		}
	}
	return ev.Seq
}
