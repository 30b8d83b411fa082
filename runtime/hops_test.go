package runtime_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// circle is subscribers that feed each other: s0 emits to s1, and so on, the last to s0.
// The first emits of a storm are more than one each.
type circle struct {
	members int
	storm   []int // how many events each of the first handlings emits
	relay   bool  // the planted breach: somebody publishes an event of the circle again, as if it were new
}

// loopLength is how far the scripts of the events would go on without a limit.
const loopLength = delivery.MaxHops + 8

// manifest puts all topics of a storm on out.many, which is what the probe emits more than
// one of.
func (c circle) manifest() string {
	text := ""
	for i := range c.members {
		topics, emits := fmt.Sprintf("c%d.x", i), fmt.Sprintf("c%d.x", (i+1)%c.members)
		if len(c.storm) > 0 {
			topics, emits = "out.many", "out.many"
		}
		text += fmt.Sprintf("[[subscriber]]\nname = \"s%d\"\nmodule = \"probe.wasm\"\ntopics = [%q]\nemits = [%q]\n", i, topics, emits)
	}
	return text
}

func (c circle) root() (topic, script string) {
	if len(c.storm) > 0 {
		for i := range loopLength {
			n := 1
			if i < len(c.storm) {
				n = c.storm[i]
			}
			script += fmt.Sprintf("emits %d ", n)
		}
		return "out.many", script + "add n 1"
	}
	for i := range loopLength {
		script += fmt.Sprintf("emit c%d.x ", (i+1)%c.members)
	}
	return "c0.x", script + "add n 1"
}

// run lets the circle turn until nothing moves and says what is wrong with what is left.
func (c circle) run(t *testing.T) error {
	r := openProbe(t, c.manifest())
	defer stop(t, r)
	topic, script := c.root()
	if _, err := r.Publish(context.Background(), []abi.Event{{Topic: topic, ID: "root", Data: []byte(script)}}, log.Durable); err != nil {
		return err
	}
	settled(t, r)
	if c.relay {
		ev, err := r.Store().Event(abi.Seq(delivery.MaxHops))
		if err != nil {
			return err
		}
		again := abi.Event{Topic: ev.Topic, ID: "root", Source: "/relay", Data: ev.Data}
		if _, err := r.Publish(context.Background(), []abi.Event{again}, log.Durable); err != nil {
			return err
		}
		settled(t, r)
	}
	return c.check(r)
}

func (c circle) check(r *runtime.Runtime) error {
	events, level := 1, 1
	for i := range delivery.MaxHops {
		if i < len(c.storm) {
			level *= c.storm[i]
		}
		events += level
	}
	if head := int(r.Store().Head()); head != events {
		return fmt.Errorf("the log has %d events, want %d", head, events)
	}
	letters := 0
	for i := range c.members {
		name := fmt.Sprintf("s%d", i)
		all, err := r.DeadLetters(context.Background(), name, 0, 10*level)
		if err != nil {
			return err
		}
		for _, d := range all {
			letters++
			if err := c.checkChain(r, &d, i); err != nil {
				return fmt.Errorf("dead letter %d of %s: %w\n%s", d.Seq, name, err, d.Message)
			}
		}
		if entries, err := r.State(context.Background(), name, "n", "", 1); err != nil || len(entries) > 0 {
			return fmt.Errorf("the end of the loop was reached at %s, %v", name, err)
		}
	}
	if letters != level {
		return fmt.Errorf("%d dead letters, want %d", letters, level)
	}
	return nil
}

// checkChain holds the message against the events of the log: from the root on, each with
// the subscriber that went on from it.
func (c circle) checkChain(r *runtime.Runtime, d *runtime.DeadLetter, member int) error {
	_, chain, ok := strings.Cut(d.Message, "its root: ")
	steps := strings.Split(chain, " → ")
	if d.Reason != "hops" || d.Attempts != 1 || !ok || len(steps) != 2*delivery.MaxHops+1 {
		return fmt.Errorf("reason %s after %d attempts, %d steps", d.Reason, d.Attempts, len(steps))
	}
	if member != delivery.MaxHops%c.members {
		return fmt.Errorf("it is %s's turn", steps[1])
	}
	id := "root"
	for i, step := range steps {
		var seq abi.Seq
		var topic string
		if i%2 == 1 {
			if want := fmt.Sprintf("s%d", i/2%c.members); step != want {
				return fmt.Errorf("step %d is %s, want %s", i, step, want)
			}
			continue
		}
		if _, err := fmt.Sscanf(step, "%d %s", &seq, &topic); err != nil {
			return err
		}
		ev, err := r.Store().Event(seq)
		if err != nil {
			return err
		}
		if causation, _ := ev.Headers.Get(abi.HeaderCausation); i > 0 && causation != id || i == 0 && ev.ID != id {
			return fmt.Errorf("event %d of the chain is not caused by %s", seq, id)
		}
		id = strings.Clone(ev.ID)
	}
	return nil
}

// TestHops turns circles of one to four subscribers, and storms, until the hop limit ends
// them: as many dead letters as there are ends, each with its chain, and nothing beyond.
func TestHops(t *testing.T) {
	runs := fault.Size(t, 10, 300)
	p := fault.Prove(t, "P14", "event cycles", "event cycles stop at the hop limit and land in the dead letters with their chain")
	rng := p.Rand()
	circles := []circle{{members: 2}, {members: 3}, {members: 1, storm: []int{2, 2, 2, 2, 2, 2, 2}}}
	for len(circles) < runs {
		circles = append(circles, randomCircle(rng))
	}
	for _, c := range circles {
		if err := c.run(t); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		p.Injected(1)
	}
	if err := (circle{members: 2, relay: true}).run(t); err == nil {
		t.Error("the test does not find an event that lost its hops on the way")
	} else {
		p.Breach()
	}
}

func randomCircle(rng *rand.Rand) circle {
	c := circle{members: 1 + rng.IntN(4)}
	if rng.IntN(2) == 0 {
		return c
	}
	c.members = 1
	for range 1 + rng.IntN(6) {
		c.storm = append(c.storm, 1+rng.IntN(3))
	}
	return c
}
