package router_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/avx-platform/avxrt/router"
)

func mustParse(t testing.TB, s string) router.Pattern {
	t.Helper()
	p, err := router.ParsePattern(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// reference is the meaning of patterns in the fewest words; everything is held against it.
func reference(pattern, topic string) bool {
	if strings.HasPrefix(topic, "$") && strings.HasPrefix(pattern, "*") {
		return false
	}
	return refSegments(strings.Split(pattern, "."), strings.Split(topic, "."))
}

func refSegments(p, t []string) bool {
	switch {
	case len(p) == 0:
		return len(t) == 0
	case p[0] == "**":
		for i := 0; i <= len(t); i++ {
			if refSegments(p[1:], t[i:]) {
				return true
			}
		}
		return false
	case len(t) == 0:
		return false
	}
	return (p[0] == "*" || p[0] == t[0]) && refSegments(p[1:], t[1:])
}

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, topic string
		want           bool
	}{
		{"users.created", "users.created", true},
		{"users.created", "users.Created", false},
		{"users.*", "users.created", true},
		{"users.*", "users", false},
		{"users.*", "users.created.eu", false},
		{"users.**", "users", true},
		{"users.**", "users.created.eu", true},
		{"users.**", "usersx.created", false},
		{"users.*.**", "users", false},
		{"users.*.**", "users.a.b", true},
		{"**", "anything.at.all", true},
		{"**.created", "created", true},
		{"**.created", "a.b.created", true},
		{"a.**.z", "a.z", true},
		{"a.**.z", "a.b.z.c.z", true},
		{"a.**.m.**.z", "a.m.z", true},
		{"a.**.m.**.z", "a.1.m.2.3.z", true},
		{"a.**.m.**.z", "a.1.2.3.z", false},
		{"**", "$dlq.email", false},
		{"*.email", "$dlq.email", false},
		{"$dlq.**", "$dlq.email", true},
		{"$dlq.*", "$dlq.email", true},
	}
	for _, tt := range tests {
		t.Run(tt.pattern+" "+tt.topic, func(t *testing.T) {
			p := mustParse(t, tt.pattern)
			if got := p.Match(tt.topic); got != tt.want {
				t.Errorf("Pattern.Match says %v", got)
			}
			if got := reference(tt.pattern, tt.topic); got != tt.want {
				t.Errorf("the reference says %v", got)
			}
			r := router.New[int]()
			r.Subscribe(1, p)
			if got := len(r.Match(tt.topic)) == 1; got != tt.want {
				t.Errorf("Router.Match says %v", got)
			}
		})
	}
}

func TestParsePattern(t *testing.T) {
	tests := []struct {
		in, want string // want: the normal form, or the reason for a refusal
		offset   int    // -1: accepted
	}{
		{"users.created", "users.created", -1},
		{"**.*", "*.**", -1},
		{"a.**.**.b", "a.**.b", -1},
		{"**.*.*", "*.*.**", -1},
		{"a.**.b.**", "a.**.b.**", -1},
		{"$dlq.**", "$dlq.**", -1},
		{"", "is empty", 0},
		{"users*", "users.*", 0},
		{"a.users*", "whole segment", 2},
		{"a.#", "** for any number", 2},
		{"a.>", "** for any number", 2},
		{"a.+.b", "* for one segment", 2},
		{"a..b", "empty segment", 2},
		{".a", "empty segment", 0},
		{"a.", "empty segment", 2},
		{"a b", "white space", 1},
		{"a\x00", "control", 1},
		{"a\u202eb", "control", 1},
		{"\xff", "UTF-8", 0},
		{"**.a.**.b.**", "at most twice", 10},
		{strings.Repeat("a.", 16) + "a", "more than 16", 32},
		{strings.Repeat("a", 65), "65 bytes", 0},
		{strings.Repeat("aaaa.", 60), "at most 255", 255},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%.20q", tt.in), func(t *testing.T) {
			p, err := router.ParsePattern(tt.in)
			if tt.offset < 0 {
				if err != nil || p.String() != tt.want {
					t.Fatalf("got %q, %v, want %q", p, err, tt.want)
				}
				return
			}
			var se *router.SyntaxError
			if !errors.As(err, &se) || se.Offset != tt.offset || !strings.Contains(se.Error(), tt.want) {
				t.Fatalf("got %v, want %q at %d", err, tt.want, tt.offset)
			}
		})
	}
}

func TestCheckTopic(t *testing.T) {
	for _, good := range []string{"a", "orders.created", "$sys.x", "größe.ä"} {
		if err := router.CheckTopic(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a.*", "a..b", "a b", "a.**", "x*"} {
		var se *router.SyntaxError
		if err := router.CheckTopic(bad); !errors.As(err, &se) || se.Kind != "topic" {
			t.Errorf("%q: got %v, want a SyntaxError", bad, err)
		}
	}
}

func TestRouterOrderAndOnce(t *testing.T) {
	r := router.New[string]()
	late := r.Subscribe("late", mustParse(t, "a.**"), mustParse(t, "a.b"), mustParse(t, "a.*"), mustParse(t, "a.b"))
	r.Subscribe("second", mustParse(t, "**"))
	r.Subscribe("third", mustParse(t, "x"))
	got := r.Match("a.b")
	if len(got) != 2 || got[0].Subscription.Value != "late" || got[1].Subscription.Value != "second" {
		t.Fatalf("got %v", got)
	}
	if want := late.Patterns(); !slices.Equal(got[0].Patterns, want) || len(want) != 3 {
		t.Fatalf("matched patterns %v, want %v", got[0].Patterns, want)
	}
	late.Unsubscribe()
	late.Unsubscribe()
	if got := r.Match("a.b"); len(got) != 1 || got[0].Subscription.Value != "second" {
		t.Fatalf("after unsubscribe: %v", got)
	}
}

// TestRouterAgainstReference subscribes and unsubscribes at random and compares every match.
func TestRouterAgainstReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	segments := []string{"a", "b", "c", "*", "**", "$s"}
	r := router.New[int]()
	live := map[int]*router.Subscription[int]{}
	for i := range 3000 {
		var parts []string
		for range 1 + rng.IntN(5) {
			parts = append(parts, segments[rng.IntN(len(segments))])
		}
		if p, err := router.ParsePattern(strings.Join(parts, ".")); err == nil {
			live[i] = r.Subscribe(i, p)
		}
		for k, s := range live {
			if len(live) > 50 {
				s.Unsubscribe()
				delete(live, k)
			}
		}
		topic := strings.NewReplacer("**", "a", "*", "b").Replace(strings.Join(parts, "."))
		var want, got []int
		for k, s := range live {
			if reference(s.Patterns()[0].String(), topic) {
				want = append(want, k)
			}
		}
		slices.Sort(want)
		for _, m := range r.Match(topic) {
			got = append(got, m.Subscription.Value)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("step %d, topic %s: got %v, want %v", i, topic, got, want)
		}
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	p := mustParse(t, "a.**.b.**.c")
	if n := testing.AllocsPerRun(100, func() { p.Match("a.x.b.y.z.c") }); n != 0 {
		t.Errorf("Pattern.Match allocates %v times", n)
	}
}

// TestAdversarial checks that the worst patterns within the limits stay cheap: the number
// of places in the trie bounds the work, so a hundred of them on the longest topic end at once.
func TestAdversarial(t *testing.T) {
	r := router.New[int]()
	for i := range 100 {
		r.Subscribe(i, mustParse(t, strings.Repeat("a.", i%7)+"**."+strings.Repeat("a.", i%6)+"**.b"))
	}
	if got := r.Match(strings.Repeat("a.", 15) + "a"); len(got) != 0 {
		t.Fatalf("got %d matches", len(got))
	}
}

func TestHammer(t *testing.T) {
	r := router.New[int]()
	fixed := r.Subscribe(-1, mustParse(t, "a.*"))
	var wg sync.WaitGroup
	for g := range 4 {
		p := mustParse(t, []string{"a.b", "a.**", "*.b", "**"}[g])
		wg.Go(func() {
			for range 300 {
				s := r.Subscribe(g, p)
				found := false
				for _, m := range r.Match("a.b") {
					found = found || m.Subscription == s
				}
				if !found {
					t.Error("a subscription did not see a topic that it was made for")
				}
				s.Unsubscribe()
				if m := r.Match("a.b"); m[0].Subscription != fixed {
					t.Error("the oldest subscription is not the first match")
				}
			}
		})
	}
	wg.Wait()
	if got := r.Match("a.b"); len(got) != 1 {
		t.Fatalf("%d subscriptions are left, want 1", len(got))
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("a.**.b", "a.x.b")
	f.Add("**.*", "a")
	f.Add("*.**.c.**", "$a.c")
	f.Fuzz(func(t *testing.T, pattern, topic string) {
		p, err := router.ParsePattern(pattern)
		if err != nil || router.CheckTopic(topic) != nil {
			return
		}
		want := reference(pattern, topic)
		if got := p.Match(topic); got != want {
			t.Fatalf("pattern %q (%q), topic %q: got %v, want %v", pattern, p, topic, got, want)
		}
		r := router.New[int]()
		r.Subscribe(1, p)
		if got := len(r.Match(topic)) == 1; got != want {
			t.Fatalf("router: pattern %q, topic %q: got %v, want %v", pattern, topic, got, want)
		}
		if again, err := router.ParsePattern(p.String()); err != nil || again != p {
			t.Fatalf("the normal form %q of %q does not parse to itself: %q, %v", p, pattern, again, err)
		}
	})
}

func Example() {
	users, _ := router.ParsePattern("users.**")
	all, _ := router.ParsePattern("**")
	r := router.New[string]()
	r.Subscribe("audit", all)
	email := r.Subscribe("email", users)
	for _, m := range r.Match("users.created") {
		fmt.Println(m.Subscription.Value, m.Patterns)
	}
	email.Unsubscribe()
	fmt.Println(len(r.Match("users.created")))
	// Output:
	// audit [**]
	// email [users.**]
	// 1
}
