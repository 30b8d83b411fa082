package sandbox_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// stuckState is a store that does not answer: to the watchdog a guest that does not come back.
type stuckState struct {
	memState
	release chan struct{}
}

func (s stuckState) Get(key []byte) ([]byte, bool, error) {
	<-s.release
	return s.memState.Get(key)
}

// TestWatchdog: a run without a sign of life ends the process with 70 and says whose it was.
func TestWatchdog(t *testing.T) {
	var said bytes.Buffer
	exits := make(chan int, 1)
	release := make(chan struct{})
	e, err := sandbox.NewEngine(context.Background(), sandbox.Options{
		Logger: slog.New(slog.NewTextHandler(&said, nil)), StuckAfter: 300 * time.Millisecond,
		Exit: func(code int) {
			select {
			case exits <- code:
				close(release)
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	config := testConfig
	config.Limits.Time = time.Millisecond
	i := instantiate(t, load(t, e, probe), config, memState{})
	i.Run(context.Background(), sandbox.Batch{Next: feed(abi.Seq(77), "get a"), State: stuckState{memState{}, release}})
	if code := <-exits; code != sandbox.ExitStuck || sandbox.ExitStuck != 70 {
		t.Errorf("it ended with %d", code)
	}
	if err := e.Close(context.Background()); err != nil { // the watchdog has stopped writing
		t.Error(err)
	}
	for _, want := range []string{"subscriber=probe", "digest=sha256:", "seq=77"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is missing in %s", want, said.String())
		}
	}
}
