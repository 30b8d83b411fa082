package router

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// looks returns how many places a match of the topic looks at, and what it finds.
func (r *Router[T]) looks(topic string) (looks, found int) {
	var q query
	if !q.split(&r.seed, topic) {
		return 0, 0
	}
	return looks, len(r.find(&q, r.scopeOf(&q), nil, &looks))
}

// offer subscribes the patterns and returns how many were accepted; the others must be
// refused for their shape.
func offer(t *testing.T, r *Router[int], patterns []string) int {
	t.Helper()
	accepted := 0
	for i, text := range patterns {
		p, err := ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		var limit *LimitError
		switch _, err := r.Subscribe(i, p); {
		case err == nil:
			accepted++
		case !errors.As(err, &limit) || limit.Pattern != p || limit.Shapes != r.limit:
			t.Fatalf("%s: %v, want a LimitError", text, err)
		}
	}
	return accepted
}

// stars returns all patterns over {a, *} of a length, with end behind them.
func stars(length int, end string) []string {
	out := make([]string, 1<<length)
	for i := range out {
		parts := strings.Split(strings.Repeat("a.", length)+end, ".")
		for j := range length {
			if i>>j&1 == 1 {
				parts[j] = "*"
			}
		}
		out[i] = strings.TrimSuffix(strings.Join(parts, "."), ".")
	}
	return out
}

// TestAdversarialWork counts steps: whatever the patterns are, a match looks at no more
// places than the limit allows below its first segment and for leading wildcards.
func TestAdversarialWork(t *testing.T) {
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf("**.x%d.**", i)
	}
	var gaps []string
	for i := range 13 {
		for j := range 13 - i {
			gaps = append(gaps, strings.Repeat("a.", i)+"**."+strings.Repeat("a.", j+1)+"**.b")
		}
	}
	tests := []struct {
		name     string
		patterns []string
		topic    string
		most     int // looks
		found    int // of the accepted; -1: any
	}{
		{"stars 8", stars(8, ""), "a.a.a.a.a.a.a.a", 256, 256},
		{"stars 12", stars(12, ""), strings.Repeat("a.", 11) + "a", 2 * defaultShapes, 2 * defaultShapes},
		{"stars 15 near miss", stars(15, "z"), strings.Repeat("a.", 15) + "b", 2 * defaultShapes, 0},
		{"same two gaps", many, strings.Repeat("a.", 15) + "a", 16, 0},
		{"all two gaps", gaps, strings.Repeat("a.", 15) + "b", 2 * defaultShapes, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := New[int]()
			accepted := offer(t, r, tt.patterns)
			looks, found := r.looks(tt.topic)
			if looks > tt.most || tt.found >= 0 && found != tt.found {
				t.Errorf("%d looks find %d, want at most %d and %d", looks, found, tt.most, tt.found)
			}
			t.Logf("%d of %d patterns accepted, %d looks, %d found", accepted, len(tt.patterns), looks, found)
		})
	}
}

// TestWorkDoesNotGrow asks that the number of subscriptions does not show in the work.
func TestWorkDoesNotGrow(t *testing.T) {
	for _, n := range []int{10, 1000, 50_000} {
		r := New[int]()
		for i := range n {
			for _, text := range []string{fmt.Sprintf("a.b%d.c", i), fmt.Sprintf("a.b%d.*", i), fmt.Sprintf("**.b%d.**", i)} {
				p, _ := ParsePattern(text)
				if _, err := r.Subscribe(i, p); err != nil {
					t.Fatal(err)
				}
			}
		}
		if looks, found := r.looks("a.b7.c"); looks != 5 || found != 3 {
			t.Errorf("%d subscriptions: %d looks find %d, want 5 and 3", n, looks, found)
		}
	}
}

// TestLimitTakesNothing asks that a refused subscription leaves nothing behind.
func TestLimitTakesNothing(t *testing.T) {
	r := NewWith[int](Options{Shapes: 2})
	parse := func(texts ...string) (out []Pattern) {
		for _, s := range texts {
			p, _ := ParsePattern(s)
			out = append(out, p)
		}
		return out
	}
	s, err := r.Subscribe(1, parse("a.b", "a.*")...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Subscribe(2, parse("x.y", "x.*", "x.y", "a.c", "a.*.c")...); err == nil {
		t.Fatal("a third shape was accepted")
	}
	if _, found := r.looks("x.y"); found != 0 {
		t.Errorf("%d patterns of the refused subscription are left", found)
	}
	s.Unsubscribe()
	if _, err := r.Subscribe(2, parse("a.*.c", "a.**")...); err != nil {
		t.Errorf("the shapes of one who left are not free: %v", err)
	}
}

// TestLiftedLimits runs the raw matcher beyond what may be subscribed: with fifteen ** and
// 31 segments a naive walk takes 5e11 ways (RabbitMQ before 4.3.5).
func TestLiftedLimits(t *testing.T) {
	p := Pattern{strings.Repeat("**.a.", 15) + "**.b"}
	topic := strings.Repeat("a.", 30) + "a"
	if p.Match(topic) || !p.Match(topic+".b") {
		t.Error("wrong")
	}
}

// TestSameHash makes two patterns collide: the text decides.
func TestSameHash(t *testing.T) {
	for _, hash := range []uint64{slotDead + 1, 1 << 63, ^uint64(0)} {
		var tab table[int]
		var es []*entry[int]
		for i := range 700 {
			e := &entry[int]{pattern: Pattern{fmt.Sprintf("a.%d", i)}}
			es = append(es, e)
			tab.insert(hash, e)
		}
		for i, e := range es {
			var q query
			q.split(&New[int]().seed, e.pattern.text)
			s := shapeOf(e.pattern.text)
			if tab.get(hash, &s, &q, 0) != e {
				t.Fatalf("entry %d of hash %x is not found", i, hash)
			}
			if i%2 == 0 {
				tab.remove(hash, e.pattern)
				if tab.get(hash, &s, &q, 0) != nil {
					t.Fatalf("entry %d of hash %x is still found", i, hash)
				}
			}
		}
		if tab.count != 350 {
			t.Fatalf("%d entries are left", tab.count)
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	cached, uncached := New[int](), NewWith[int](Options{Cache: -1})
	for _, r := range []*Router[int]{cached, uncached} {
		for i := range 300 {
			for _, text := range []string{"many.x", fmt.Sprintf("a.b%d.c", i), "a.**", "**.c"} {
				p, _ := ParsePattern(text)
				if _, err := r.Subscribe(i, p); err != nil {
					t.Fatal(err)
				}
			}
			p, _ := ParsePattern("grouped.*")
			if _, err := r.Join("g", fmt.Sprint(i), i, p); err != nil {
				t.Fatal(err)
			}
		}
	}
	topics := make([]string, 1000)
	for i := range topics {
		topics[i] = fmt.Sprintf("a.b%d.c", i)
	}
	handle := cached.Topic("a.b7.c")
	sum, next := 0, 0
	add := func(m Match[int]) { sum += m.Subscription.Value }
	for name, f := range map[string]func(){
		"Pattern.Match": func() { Pattern{"a.**.b.**.c"}.Match("a.x.b.y.z.c") },
		"hot": func() {
			for m := range cached.Match("a.b7.c", "") {
				add(m)
			}
		},
		"uncached": func() {
			for m := range uncached.Match("a.b7.c", "") {
				add(m)
			}
		},
		"never again": func() {
			next++
			for m := range cached.Match(topics[next%len(topics)], "") {
				add(m)
			}
		},
		"handle": func() {
			for m := range handle.Match("") {
				add(m)
			}
		},
		"fan-out": func() {
			for m := range cached.Match("many.x", "") {
				add(m)
			}
		},
		"group": func() {
			for m := range cached.Match("grouped.x", "key") {
				add(m)
			}
		},
		"batch": func() {
			cached.MatchBatch(topics[:64], nil, func(_ int, m Match[int]) bool {
				add(m)
				return true
			})
		},
	} {
		f()
		f()
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
