// Command 11-embed is a Go program with a node inside of it. It publishes votes; a guest, which
// is in the binary too, counts them; and a Go func hears of every count.
package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

//go:embed avxrt.toml plugins/votes.wasm
var files embed.FS

// modules finds a module by the name that the manifest gives it.
type modules struct{}

func (modules) Open(name string) (fs.File, error) { return files.Open(path.Join("plugins", name)) }

func main() {
	if err := run(context.Background(), "."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run opens the node that keeps its data in dir/data, works with it, and closes it.
func run(ctx context.Context, dir string) (err error) {
	manifest, err := files.ReadFile("avxrt.toml")
	if err != nil {
		return err
	}
	node, err := runtime.Open(runtime.Options{ManifestText: manifest, Dir: dir, Modules: modules{}})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- node.Run(ctx) }()
	defer func() {
		stop() // the subscribers finish the event that they are at
		err = errors.Join(err, <-ended, node.Close())
	}()
	if err := vote(ctx, node, "tea", "coffee", "tea"); err != nil {
		return err
	}
	return report(ctx, node, 3)
}

// vote publishes; when it returns nil, the votes are on disk.
func vote(ctx context.Context, node *runtime.Runtime, drinks ...string) error {
	var votes []abi.Event
	for _, drink := range drinks {
		votes = append(votes, abi.Event{Topic: "votes.cast", Key: drink})
	}
	_, err := node.Publish(ctx, votes, log.Durable)
	return err
}

// report prints so many counts. It goes on where the last run of the program was.
func report(ctx context.Context, node *runtime.Runtime, counts int) error {
	opts := runtime.SubscribeOptions{Name: "report", Patterns: []string{"votes.counted"}, From: 1}
	return node.Subscribe(ctx, opts, func(_ context.Context, ev *abi.Event) error {
		fmt.Println(ev.Key, string(ev.Data))
		if counts--; counts == 0 {
			return runtime.ErrDone
		}
		return nil
	})
}
