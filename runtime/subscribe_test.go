package runtime_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// TestSubscribeUntilDone ends a Go func by itself, again and again: each event comes once,
// over restarts too.
func TestSubscribeUntilDone(t *testing.T) {
	dir := t.TempDir()
	var seen []string
	for round := range 3 {
		r := openWith(t, runtime.Options{Dir: dir})
		for i := range 2 {
			if _, err := r.Publish(context.Background(), []abi.Event{{Topic: "a.b", ID: fmt.Sprint(round, i), Source: "s"}, {Topic: "x"}}, log.Durable); err != nil {
				t.Fatal(err)
			}
		}
		number := 0
		err := r.Subscribe(context.Background(), runtime.SubscribeOptions{Name: "f", Patterns: []string{"a.*"}, From: 1}, func(_ context.Context, ev *abi.Event) error {
			seen = append(seen, ev.ID)
			if number++; number == 2 {
				return fmt.Errorf("two are enough: %w", runtime.ErrDone)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		stop(t, r)
	}
	if got := fmt.Sprint(seen); got != "[0 0 0 1 1 0 1 1 2 0 2 1]" {
		t.Errorf("the events came as %s", got)
	}
}
