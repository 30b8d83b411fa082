package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/shop"
	"github.com/avx-platform/avxrt/plugins"
	"github.com/avx-platform/avxrt/runtime"
)

//go:embed demo.toml
var demoManifest []byte

// demoRules are demo.toml's, for the shop's own count.
var demoRules = shop.Rules{OpeningStock: 500, LowStock: 50}

type demoFlags struct {
	nodeFlags
	data     string
	orders   int
	requests int
	seed     uint64
	once     bool
}

func (a *app) demoVerb() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a node with the seven shipped subscribers on a generated shop",
		Long: `Run a node with the seven subscribers that are inside of the binary (inventory and logging in C, analytics,
metrics and audit in Rust, email in Go, notification in AssemblyScript), publish generated orders and
requests to it, some of them poisonous, show what each subscriber does, and hold what they keep against
the generator's own count, key by key. Then it stays up, for pub, tail, sub, state and dlq in another
terminal. With --once it works in a fresh folder and ends: 0 if all is right, else 1.`,
		Example: "  avxrt demo\n  avxrt demo --once --orders 5000",
		Args:    args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.data, "data", "", "folder of the store (default .avxrt-demo; with --once a fresh one)")
	cmd.Flags().IntVar(&f.orders, "orders", 1000, "how many events of orders to publish")
	cmd.Flags().IntVar(&f.requests, "requests", 1000, "how many events of requests to publish")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "of the generator")
	cmd.Flags().BoolVar(&f.once, "once", false, "check the totals and end")
	f.add(cmd, "error")
	return cmd
}

func (a *app) demo(ctx context.Context, f demoFlags) error {
	if f.orders < 8 || f.orders > 1_000_000 {
		return &usageError{errors.New("--orders takes 8 to 1000000")}
	}
	if f.requests < 8 || f.requests > 1_000_000 {
		return &usageError{errors.New("--requests takes 8 to 1000000")}
	}
	data, err := demoFolder(f)
	if err != nil {
		return err
	}
	lookup := a.lookup
	a.lookup = func(key string) (string, bool) { // the flag wins over the environment
		if key == "AVXRT_NODE_DATA" {
			return data, true
		}
		return lookup(key)
	}
	m, err := manifest.Parse(demoManifest, ".", a.lookup)
	if err := errors.Join(err, manifest.CheckEnviron(os.Environ())); err != nil {
		return err
	}
	d := &demo{app: a, flags: f, data: data, events: shop.Generate(shop.Options{Seed: f.seed, Orders: f.orders, Requests: f.requests, Poison: true})}
	return a.serve(ctx, f.nodeFlags, nodeOptions{
		manifest: m, anyPort: f.once, ownData: true, job: d.run,
		node: runtime.Options{ManifestText: demoManifest, Dir: ".", Modules: plugins.FS},
	})
}

func demoFolder(f demoFlags) (string, error) {
	switch {
	case f.data != "":
		return filepath.Abs(f.data)
	case f.once:
		return os.MkdirTemp("", "avxrt-demo-")
	}
	return filepath.Abs(".avxrt-demo")
}

// demo is the job beside the node.
type demo struct {
	*app
	flags  demoFlags
	data   string
	events []shop.Event
	node   *runtime.Runtime
	shown  time.Time
}

func (d *demo) run(ctx context.Context, node *runtime.Runtime, _ string) error {
	d.node = node
	start := time.Now()
	duplicates, err := d.publish(ctx)
	if err != nil {
		return ended(ctx, err)
	}
	var late <-chan time.Time
	if d.flags.once {
		late = time.After(d.patience())
	}
	if err := d.settle(ctx, late); err != nil {
		return ended(ctx, err)
	}
	d.line(len(d.events), true)
	differ, err := d.report(ctx, time.Since(start), duplicates)
	switch {
	case err != nil:
		return ended(ctx, err)
	case len(differ) > 0 && d.flags.once:
		return fmt.Errorf("the totals are not the generator's:\n%s", strings.Join(differ, "\n"))
	case d.flags.once:
		return nil
	case len(differ) > 0: // a folder that was used before may hold what others published
		fmt.Fprintf(d.err, "the totals are not the generator's: the folder has other events, or something is wrong; avxrt demo --once tells\n")
	}
	<-ctx.Done()
	return nil
}

// patience is how long --once waits for the subscribers: 30 seconds, more for more than
// 3,000 events.
func (d *demo) patience() time.Duration {
	return max(30*time.Second, time.Duration(len(d.events))*10*time.Millisecond)
}

// ended makes the node's own end no error.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (d *demo) publish(ctx context.Context) (duplicates int, err error) {
	const batch = 50
	for i := 0; i < len(d.events); i += batch {
		part := d.events[i:min(i+batch, len(d.events))]
		events := make([]abi.Event, len(part))
		for j, ev := range part {
			events[j] = abi.Event{Topic: ev.Topic, Key: ev.Key, ID: ev.ID, Source: ev.Source, Time: ev.Time.UnixNano(), Data: ev.Data}
			if ev.Poison != "" {
				d.say("publishing %s: %s", ev.ID, ev.Poison)
			}
		}
		receipts, err := d.node.Publish(ctx, events, d.node.DefaultDurability())
		if err != nil {
			return duplicates, err
		}
		for _, r := range receipts {
			if r.Duplicate {
				duplicates++
			}
		}
		d.line(i+len(part), false)
	}
	return duplicates, nil
}

// settle waits until every subscriber has dealt with everything, or it is late.
func (d *demo) settle(ctx context.Context, late <-chan time.Time) error {
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		lag := uint64(0)
		for _, s := range d.node.Subscribers() {
			if s.State == runtime.StateStopped || s.State == runtime.StateFailed {
				return fmt.Errorf("subscriber %s stopped: %s", s.Name, s.Reason)
			}
			lag += s.LagEvents + uint64(s.BlockedKeys)
		}
		if lag == 0 {
			return nil
		}
		d.line(len(d.events), false)
		select {
		case <-poll.C:
		case <-late:
			return fmt.Errorf("the subscribers still lag by %d events after %v", lag, d.patience())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// live says whether lines may be written over.
func (d *demo) live() bool { return d.app.live(d.out) }

func (d *demo) say(format string, args ...any) {
	if d.live() {
		fmt.Fprint(d.out, "\r\x1b[K")
	}
	fmt.Fprintf(d.out, format+"\n", args...)
}

// line shows what each subscriber has done: one line that is written over on a terminal,
// a line a second elsewhere.
func (d *demo) line(published int, last bool) {
	every := time.Second
	if d.live() {
		every = 100 * time.Millisecond
	}
	if !last && time.Since(d.shown) < every {
		return
	}
	d.shown = time.Now()
	b, emitted, dead := fmt.Sprintf("published %d/%d | handled:", published, len(d.events)), uint64(0), uint64(0)
	for _, s := range d.node.Subscribers() {
		b += fmt.Sprintf(" %s %d", s.Name, s.Handled)
		emitted, dead = emitted+s.Emitted, dead+s.DeadLetters
	}
	b += fmt.Sprintf(" | %d emitted, %d dead", emitted, dead)
	if d.live() && !last {
		if width := room(d.out); width > 0 && len(b) >= width {
			b = b[:width-1] // a line that wraps cannot be written over
		}
		fmt.Fprint(d.out, "\r\x1b[K"+b)
		return
	}
	d.say("%s", b)
}
