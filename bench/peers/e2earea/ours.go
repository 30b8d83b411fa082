package e2earea

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing/fstest"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

const ourManifest = `
[plugins]
watch = false
[[subscriber]]
name   = "counter"
module = "guest.wasm"
topics = ["bench.*"]
`

// guest is the committed module, written in C, that does what an event's text says.
const guest = "internal/sandbox/testdata/probe.wasm"

// ours is the whole line with its default options: log, routing, the guest in its sandbox,
// and a commit of its state and cursor together.
type ours struct {
	r    *runtime.Runtime
	d    log.Durability
	stop context.CancelFunc
	done chan error
}

func openOurs(d log.Durability) func(dir string) (system, error) {
	return func(dir string) (system, error) {
		wasm, err := readGuest()
		if err != nil {
			return nil, err
		}
		r, err := runtime.Open(runtime.Options{ManifestText: []byte(ourManifest), Dir: dir,
			Modules: fstest.MapFS{"guest.wasm": {Data: wasm}}})
		if err != nil {
			return nil, err
		}
		ctx, stop := context.WithCancel(context.Background())
		o := &ours{r: r, d: d, stop: stop, done: make(chan error, 1)}
		go func() { o.done <- r.Run(ctx) }()
		return o, nil
	}
}

// readGuest looks for the module from the working folder upwards.
func readGuest() ([]byte, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		wasm, err := os.ReadFile(filepath.Join(dir, guest))
		if !errors.Is(err, os.ErrNotExist) {
			return wasm, err
		}
		up := filepath.Dir(dir)
		if up == dir {
			return nil, fmt.Errorf("%s is not found: run this inside of the repository", guest)
		}
		dir = up
	}
}

func (o *ours) publisher() publisher { return o }

func (o *ours) publish(evs []abi.Event) error {
	_, err := o.r.Publish(background, evs, o.d)
	return err
}

func (o *ours) settle() error { return nil }

func (o *ours) handled() (int, error) {
	s, err := o.r.Subscriber("counter")
	if err == nil && s.State != runtime.StateRunning {
		err = fmt.Errorf("the subscriber is %s: %s", s.State, s.Reason)
	}
	return int(s.Handled), err
}

func (o *ours) state() (counters, error) {
	entries, err := o.r.State(background, "counter", "", "", names+1)
	c := counters{}
	for _, e := range entries {
		n, err := strconv.ParseInt(string(e.Value), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("counter %s: %w", e.Key, err)
		}
		c[string(e.Key)] = n
	}
	return c, err
}

func (o *ours) Close() error {
	o.stop()
	return errors.Join(<-o.done, o.r.Close())
}
