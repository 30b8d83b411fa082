package routerarea

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/bench/peers/harness"
	"github.com/avx-platform/avxrt/router"
)

// neutral returns a pattern that all sides understand alike: ** at the end only, as *.**
// where it begins, and no * before it but the first segment's (mochi takes a/+/# for what
// it is not).
func neutral(rng *rand.Rand) string {
	parts := make([]string, 1+rng.IntN(4))
	for i := range parts {
		parts[i] = []string{"a", "b", "c", "*"}[rng.IntN(4)]
	}
	if rng.IntN(3) == 0 && parts[len(parts)-1] != "*" {
		parts = append(parts, "**")
	}
	return strings.Join(parts, ".")
}

// deeper says whether the topic goes beyond what stands before the ** of the pattern, if
// there is one: at that very topic NATS says no where MQTT and ours say yes.
func deeper(pattern, topic string) bool {
	return !strings.HasSuffix(pattern, "**") || strings.Count(topic, ".") >= strings.Count(pattern, ".")
}

// TestDifferential subscribes and unsubscribes at random in all matchers and compares what
// each topic finds.
func TestDifferential(t *testing.T) {
	makers := append([]maker{us, usUncached}, allRivals...)
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 9))
		sides := make([]matcher, len(makers))
		for i, m := range makers {
			sides[i] = m.make()
		}
		type live struct {
			pattern string
			remove  []func()
		}
		var subs []live
		for id := range 600 {
			l := live{pattern: neutral(rng)}
			for i, side := range sides {
				remove, err := side.add(makers[i].spelling.Replace(l.pattern), id)
				if err != nil {
					t.Fatal(makers[i].name, l.pattern, err)
				}
				l.remove = append(l.remove, remove)
			}
			subs = append(subs, l)
			for len(subs) > 60 {
				i := rng.IntN(len(subs))
				for _, remove := range subs[i].remove {
					remove()
				}
				subs = slices.Delete(subs, i, i+1)
			}
			topic := strings.Join(texts(1+rng.IntN(6), func(int) string { return []string{"a", "b", "c", "d"}[rng.IntN(4)] }), ".")
			if slices.ContainsFunc(subs, func(l live) bool { return !deeper(l.pattern, topic) }) {
				continue
			}
			sum, n := sides[0].match(topic)
			for i, side := range sides {
				if s, k := side.match(makers[i].spelling.Replace(topic)); s != sum || k != n {
					t.Fatalf("seed %d, %s: ours finds %d with the sum %d, %s %d with %d", seed, topic, n, sum, makers[i].name, k, s)
				}
			}
		}
	}
}

// TestDifferentialCanFail plants a difference.
func TestDifferentialCanFail(t *testing.T) {
	c := matching{mine: us.make(), theirs: gslMaker.make(), myTopics: []string{"a.b"}, theirsTopics: []string{"a.b"}}
	if _, err := c.mine.add("a.*", 1); err != nil {
		t.Fatal(err)
	}
	if c.same() == nil {
		t.Error("a subscription that one side lacks is not found")
	}
	if _, err := c.theirs.add("a.*", 1); err != nil {
		t.Fatal(err)
	}
	if err := c.same(); err != nil {
		t.Error(err)
	}
}

// TestMochiParent keeps what we know of mochi's: it is why neutral has no * before **.
func TestMochiParent(t *testing.T) {
	m := mochi.make()
	_, _ = m.add("a/+/#", 1)
	if _, n := m.match("a/b"); n != 0 {
		t.Error("mochi has mended a/+/#: neutral may have it now")
	}
	r := us.make()
	_, _ = r.add("a.*.**", 1)
	if _, n := r.match("a.b"); n != 1 {
		t.Error("ours does not match a.b by a.*.**")
	}
}

func TestBuses(t *testing.T) {
	for name, b := range map[string]bus{"ours": ourBus, "our channel": ourChannel, "asaskevich": asaskevich, "watermill": watermill, "channel": channel} {
		if err := b.check(name); err != nil {
			t.Error(err)
		}
	}
}

// TestRefusal: an error of a side reaches the harness.
func TestRefusal(t *testing.T) {
	s := shelf{patterns: func() []string { return []string{"a", "a..b"} }}
	var syntax *router.SyntaxError
	if _, err := s.filled(us, false); !errors.As(err, &syntax) {
		t.Errorf("got %v", err)
	}
}

// TestNames checks that every case of the plan is there with each of its rivals, and in the quick run each case.
func TestNames(t *testing.T) {
	want := map[string][]string{"router/bus": {"asaskevich", "watermill", "channel"}}
	for _, name := range []string{"hot", "uniform-1m", "zipf-1m", "unique-100k", "churn"} {
		want["router/"+name] = []string{"nats", "nats/uncached", "gsl", "mochi"}
	}
	got := map[string]harness.Case{}
	for _, c := range Cases(false) {
		got[c.Name+" "+c.Rival] = c
	}
	for name, rivals := range want {
		if !slices.ContainsFunc(Cases(true), func(c harness.Case) bool { return c.Name == name }) {
			t.Errorf("the quick run has no %s", name)
		}
		for _, r := range rivals {
			if _, ok := got[fmt.Sprint(name, " ", r)]; !ok {
				t.Errorf("%s has no %s", name, r)
			}
		}
	}
}
