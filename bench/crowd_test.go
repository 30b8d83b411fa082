package bench_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// BenchmarkCrowd publishes one event after the other to one subscriber and waits until it
// is handled, while others that it does not concern stand by. The baseline is nobody else.
func BenchmarkCrowd(b *testing.B) {
	for _, n := range []int{1, 100, 2000} {
		name := fmt.Sprintf("subs=%d", n)
		if n == 1 {
			name += "/kind=baseline-alone"
		}
		b.Run(name, func(b *testing.B) { crowd(b, n) })
	}
}

func crowd(b *testing.B, n int) {
	var manifest strings.Builder
	manifest.WriteString("[plugins]\nwatch = false\n")
	for i := range n {
		fmt.Fprintf(&manifest, "[[subscriber]]\nname = \"s%d\"\nmodule = \"guest.wasm\"\ntopics = [\"dev%d.*\", \"all.%d\"]\n", i, i, i)
	}
	r, err := runtime.Open(runtime.Options{ManifestText: []byte(manifest.String()), Dir: b.TempDir(),
		Modules: fstest.MapFS{"guest.wasm": {Data: readFile(b, "../internal/sandbox/testdata/probe.wasm")}}})
	if err != nil {
		b.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- r.Run(run) }()
	event := []abi.Event{{Topic: "dev0.x", Key: "k", Data: []byte("add n 1")}}
	for b.Loop() {
		if _, err := r.Publish(ctx, event, log.Accepted); err != nil {
			b.Fatal(err)
		}
	}
	for handled := uint64(0); handled < uint64(b.N); {
		s, err := r.Subscriber("s0")
		if err != nil || s.State != runtime.StateRunning {
			b.Fatal(s, err)
		}
		handled = s.Handled
	}
	perSecond(b, 1)
	b.StopTimer()
	stop()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
}
