package runtime_test

import (
	"context"
	"fmt"
	"os"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/plugins"
	"github.com/avx-platform/avxrt/runtime"
)

// A Go program opens a node on a folder, publishes, and sees what came of it.
func Example() {
	dir, err := os.MkdirTemp("", "avxrt-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	node, err := runtime.Open(runtime.Options{Dir: dir, Modules: plugins.FS, ManifestText: []byte(`
[[subscriber]]
name   = "inventory"
module = "inventory.wasm"
topics = ["orders.*"]
emits  = ["inventory.**"]
limits = { time = "5s" }
`)})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx) }()

	order := abi.Event{Topic: "orders.created", Key: "order-1", Data: []byte(`{"order":"1","lines":[{"sku":"tea","qty":2}]}`)}
	if _, err := node.Publish(ctx, []abi.Event{order}, log.Durable); err != nil {
		fmt.Println(err)
	}
	err = node.Subscribe(ctx, runtime.SubscribeOptions{Patterns: []string{"inventory.*"}, From: 1}, func(_ context.Context, ev *abi.Event) error {
		fmt.Printf("%s %s\n", ev.Topic, ev.Data)
		stop()
		return nil
	})
	fmt.Println(err, <-done, node.Close())
	// Output:
	// inventory.reserved {"order":"1","lines":1,"units":2}
	// context canceled <nil> <nil>
}
