package router_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/router"
)

// model is a router as a list: every subscription is held against every topic.
type model struct {
	subs []*modelSub // in the order of registration
}

type modelSub struct {
	id       int
	patterns []string
	group    string
	real     *router.Subscription[int]
}

func (s *modelSub) fits(topic string) bool {
	return slices.ContainsFunc(s.patterns, func(p string) bool { return reference(p, topic) })
}

// check compares all ways to ask the router with the model.
func (m *model) check(t testing.TB, r *router.Router[int], topic, key string) {
	t.Helper()
	m.compare(t, "Match", topic, slices.Collect(r.Match(topic, key)))
	m.compare(t, "Match again", topic, slices.Collect(r.Match(topic, key))) // lets it into the cache
	m.compare(t, "Match cached", topic, slices.Collect(r.Match(topic, key)))
	m.compare(t, "Topic.Match", topic, slices.Collect(r.Topic(topic).Match(key)))
	var got [3][]router.Match[int]
	r.MatchBatch([]string{topic, "zz.zz", topic}, func(int) string { return key }, func(i int, found router.Match[int]) bool {
		got[i] = append(got[i], found)
		return true
	})
	m.compare(t, "MatchBatch", topic, got[0])
	m.compare(t, "MatchBatch", topic, got[2])
}

// compare holds the plain matches against the model one by one; of the groups, that each
// with a fitting member has exactly one, which fits.
func (m *model) compare(t testing.TB, how, topic string, got []router.Match[int]) {
	t.Helper()
	byID := map[int]*modelSub{}
	groups, wantGroups := map[string]bool{}, map[string]bool{}
	var want, plain []int
	for _, s := range m.subs {
		byID[s.id] = s
		switch {
		case !s.fits(topic):
		case s.group == "":
			want = append(want, s.id)
		default:
			wantGroups[s.group] = true
		}
	}
	for _, found := range got {
		s := byID[found.Subscription.Value]
		if s == nil || s.real != found.Subscription || !s.fits(topic) {
			t.Fatalf("%s %s: %d does not match", how, topic, found.Subscription.Value)
		}
		var patterns, fitting []string
		for _, p := range found.Patterns() {
			patterns = append(patterns, p.String())
		}
		for _, p := range found.Subscription.Patterns() {
			if reference(p.String(), topic) {
				fitting = append(fitting, p.String())
			}
		}
		if !slices.Equal(patterns, fitting) {
			t.Fatalf("%s %s: %d matches by %v, want %v", how, topic, s.id, patterns, fitting)
		}
		if s.group == "" {
			plain = append(plain, s.id)
			continue
		}
		if groups[s.group] {
			t.Fatalf("%s %s: group %s twice", how, topic, s.group)
		}
		groups[s.group] = true
	}
	if !slices.Equal(plain, want) || fmt.Sprint(groups) != fmt.Sprint(wantGroups) {
		t.Fatalf("%s %s: got %v and groups %v, want %v and %v", how, topic, plain, groups, want, wantGroups)
	}
}

func (m *model) subscribe(t testing.TB, r *router.Router[int], id int, group string, patterns ...string) {
	t.Helper()
	var parsed []router.Pattern
	for _, p := range patterns {
		parsed = append(parsed, mustParse(t, p))
	}
	s := &modelSub{id: id, patterns: patterns, group: group}
	var err error
	if group == "" {
		s.real, err = r.Subscribe(id, parsed...)
	} else {
		s.real, err = r.Join(group, fmt.Sprint(id), id, parsed...)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.subs = append(m.subs, s)
}

func (m *model) unsubscribe(i int) {
	m.subs[i].real.Unsubscribe()
	m.subs = slices.Delete(m.subs, i, i+1)
}

// randomPattern has at most two **.
func randomPattern(rng *rand.Rand) string {
	for {
		parts := make([]string, 1+rng.IntN(5))
		for i := range parts {
			parts[i] = []string{"a", "b", "c", "*", "**", "$s"}[rng.IntN(6)]
		}
		if p := strings.Join(parts, "."); strings.Count(p, "**") <= 2 {
			return p
		}
	}
}

func randomTopic(rng *rand.Rand) string {
	parts := make([]string, 1+rng.IntN(6))
	for i := range parts {
		parts[i] = []string{"a", "b", "c", "$s"}[rng.IntN(4)]
	}
	return strings.Join(parts, ".")
}

// TestRouterAgainstModel changes the subscriptions at random and compares every match.
func TestRouterAgainstModel(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		r := router.NewWith[int](router.Options{Cache: 64})
		var m model
		most := []int{5, 50, 400}[seed%3]
		for i := range 1500 {
			patterns := make([]string, 1+rng.IntN(3))
			for j := range patterns {
				patterns[j] = randomPattern(rng)
			}
			m.subscribe(t, r, i, []string{"", "", "g", "h"}[rng.IntN(4)], patterns...)
			for len(m.subs) > most {
				m.unsubscribe(rng.IntN(len(m.subs)))
			}
			if i%10 == 0 {
				m.check(t, r, randomTopic(rng), fmt.Sprint(rng.IntN(5)))
			}
		}
		for len(m.subs) > 0 {
			m.unsubscribe(rng.IntN(len(m.subs)))
			if len(m.subs)%16 == 0 {
				m.check(t, r, randomTopic(rng), "")
			}
		}
	}
}

// TestRememberedAnswers asks for one topic until every memory knows the answer, and then
// makes one change after the other, each of which must end what is remembered.
func TestRememberedAnswers(t *testing.T) {
	r := router.New[int]()
	handle := r.Topic("a.b")
	var m model
	check := func() {
		t.Helper()
		for range 4 {
			m.check(t, r, "a.b", "k")
			m.compare(t, "handle", "a.b", slices.Collect(handle.Match("k")))
		}
	}
	join := func(id int, group string, patterns ...string) func() {
		return func() { m.subscribe(t, r, id, group, patterns...) }
	}
	leave := func(i int) func() { return func() { m.unsubscribe(i) } }
	for _, change := range []func(){
		join(1, "", "a.b"), leave(0), join(2, "", "a.b"), join(3, "", "a.b"), leave(0), leave(0),
		join(4, "", "a.*"), join(5, "", "a.**"), leave(0), leave(0), join(6, "g", "a.b"), leave(0),
		join(7, "", "a.b", "**"), join(8, "", "x.y"), leave(0), join(9, "", "**.b"), leave(0), leave(0),
	} {
		change()
		check()
	}
}

// TestManyPatterns lets the tables grow, split, fill with dead slots and shrink.
func TestManyPatterns(t *testing.T) {
	const n = 30_000
	r := router.New[int]()
	subs := make([]*router.Subscription[int], n)
	topic := func(i int) string { return fmt.Sprintf("area.%d.%d", i%7, i) }
	one := func(i int) []int { return matches(r, topic(i), "") }
	for i := range n {
		pattern := topic(i)
		if i%2 == 0 {
			pattern = fmt.Sprintf("area.*.%d", i)
		}
		subs[i] = subscribe(t, r, i, pattern)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	gone := map[int]bool{}
	for round := range 4 {
		for _, i := range rng.Perm(n)[:n/2] {
			subs[i].Unsubscribe()
			gone[i] = true
		}
		for i := range n {
			if got := one(i); len(got) != 1 != gone[i] || len(got) == 1 && got[0] != i {
				t.Fatalf("round %d: %s gives %v, gone is %v", round, topic(i), got, gone[i])
			}
		}
		for i := range gone {
			if rng.IntN(2) == 0 {
				subs[i] = subscribe(t, r, i, topic(i))
				delete(gone, i)
			}
		}
	}
	for i := range n {
		subs[i].Unsubscribe()
	}
	if got := one(1); len(got) != 0 {
		t.Fatalf("got %v after all left", got)
	}
}

// TestManySubscribers lets the roster of one pattern grow, thin out and merge its chunks.
func TestManySubscribers(t *testing.T) {
	for _, n := range []int{1, 2, 5, 200, 5000} {
		r := router.New[int]()
		rng := rand.New(rand.NewPCG(uint64(n), 4))
		var m model
		for i := range 4 * n {
			m.subscribe(t, r, i, "", "a.*")
			if len(m.subs) > n {
				m.unsubscribe(rng.IntN(len(m.subs)))
			}
		}
		m.compare(t, "Match", "a.b", slices.Collect(r.Match("a.b", "")))
		for len(m.subs) > n/10 {
			m.unsubscribe(rng.IntN(len(m.subs)))
		}
		m.compare(t, "Match", "a.b", slices.Collect(r.Match("a.b", "")))
		m.subscribe(t, r, -1, "", "a.*")
		for len(m.subs) > 0 {
			m.unsubscribe(0)
		}
		m.check(t, r, "a.b", "")
	}
}

// TestManyPatternsOfOneSubscriber is about those whose patterns need an index.
func TestManyPatternsOfOneSubscriber(t *testing.T) {
	r := router.New[int]()
	var m model
	var patterns []string
	for i := range 3000 {
		patterns = append(patterns, fmt.Sprintf("a.%d", i), fmt.Sprintf("*.%d", i))
	}
	for id := range 9 {
		m.subscribe(t, r, id, "", patterns...)
	}
	m.check(t, r, "a.2999", "")
	m.unsubscribe(3)
	m.unsubscribe(0)
	m.check(t, r, "a.7", "")
	m.check(t, r, "b.7", "")
}

// FuzzRouter makes a history of changes out of bytes and compares every match with the model.
func FuzzRouter(f *testing.F) {
	f.Add([]byte{0, 9, 12, 255, 3, 4, 5, 6, 7, 1, 1, 200, 44, 17}, "a.b.c")
	f.Add([]byte("****************aaaaaaaabbbbbbb"), "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.b")
	f.Fuzz(func(t *testing.T, program []byte, topic string) {
		limits := router.Limits{Segments: 32}
		if limits.CheckTopic(topic) != nil || len(program) > 256 {
			return
		}
		// The limits are lifted by turns: 32 segments, and a pattern that spells the topic.
		words := append([]string{"*", "**", "a", "b", "$s"}, strings.Split(topic, ".")...)
		r := router.NewWith[int](router.Options{Cache: 4})
		var m model
		id := 0
		for len(program) > 2 {
			op, n := program[0], min(int(program[1])%33, len(program)-2)
			var parts []string
			for _, b := range program[2 : 2+n] {
				parts = append(parts, words[int(b)%len(words)])
			}
			program = program[2+n:]
			p, err := limits.ParsePattern(strings.Join(parts, "."))
			switch {
			case op < 40 && len(m.subs) > 0:
				m.unsubscribe(int(op) % len(m.subs))
			case err == nil:
				id++
				s := &modelSub{id: id, patterns: []string{p.String()}, group: []string{"", "", "g"}[int(op)%3]}
				if s.group == "" {
					s.real, err = r.Subscribe(id, p)
				} else {
					s.real, err = r.Join(s.group, "m", id, p)
				}
				if err != nil {
					t.Fatal(err)
				}
				m.subs = append(m.subs, s)
			}
			m.check(t, r, topic, "k")
		}
	})
}
