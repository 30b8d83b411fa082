package router_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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

// subscribe fails the test where the router refuses.
func subscribe[T any](t testing.TB, r *router.Router[T], value T, patterns ...string) *router.Subscription[T] {
	t.Helper()
	parsed := make([]router.Pattern, len(patterns))
	for i, p := range patterns {
		parsed[i] = mustParse(t, p)
	}
	s, err := r.Subscribe(value, parsed...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// matches returns the values that a topic reaches, in order.
func matches[T any](r *router.Router[T], topic, key string) []T {
	var out []T
	for m := range r.Match(topic, key) {
		out = append(out, m.Subscription.Value)
	}
	return out
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
			subscribe(t, r, 1, tt.pattern)
			if got := len(matches(r, tt.topic, "")) == 1; got != tt.want {
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
	late := subscribe(t, r, "late", "a.**", "a.b", "x.y", "a.*", "a.b")
	subscribe(t, r, "second", "**")
	subscribe(t, r, "third", "x")
	subscribe(t, r, "nothing")
	if got := matches(r, "a.b", ""); !slices.Equal(got, []string{"late", "second"}) {
		t.Fatalf("got %v", got)
	}
	for m := range r.Match("a.b", "") {
		if m.Subscription == late && fmt.Sprint(m.Patterns()) != "[a.** a.b a.*]" {
			t.Fatalf("matched patterns %v", m.Patterns())
		}
	}
	if got := late.Patterns(); len(got) != 4 {
		t.Fatalf("patterns %v, want four", got)
	}
	for m := range r.Match("a.b", "") {
		if m.Subscription != late {
			t.Fatal("the second match came although the first one ended it")
		}
		break
	}
	late.Unsubscribe()
	late.Unsubscribe()
	if got := matches(r, "a.b", ""); !slices.Equal(got, []string{"second"}) {
		t.Fatalf("after unsubscribe: %v", got)
	}
}

// TestSubscribeWhileIterating: who comes during a match is too young for it, so a loop that
// subscribes ends; and a batch sees the same subscriptions for all of its topics.
func TestSubscribeWhileIterating(t *testing.T) {
	for _, patterns := range [][]string{{"a.*"}, {"a.*", "a.**", "**"}} {
		r := router.New[int]()
		for i := range 6 {
			subscribe(t, r, i, patterns[i%len(patterns)])
		}
		n := 0
		for range r.Match("a.b", "") {
			subscribe(t, r, 100, patterns...)
			if n++; n > 6 {
				t.Fatal("the match sees who came after it began")
			}
		}
		seen := map[int]int{}
		r.MatchBatch([]string{"a.b", "a.c"}, nil, func(i int, m router.Match[int]) bool {
			subscribe(t, r, 200, patterns...)
			seen[i]++
			return true
		})
		if seen[0] != 12 || seen[1] != 12 {
			t.Errorf("the topics of a batch see %v subscriptions, want 12 and 12", seen)
		}
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
		subscribe(t, r, 1, pattern)
		if got := len(matches(r, topic, "")) == 1; got != want {
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
	_, _ = r.Subscribe("audit", all)
	email, _ := r.Subscribe("email", users)
	for m := range r.Match("users.created", "") {
		fmt.Println(m.Subscription.Value, m.Patterns())
	}
	email.Unsubscribe()
	for m := range r.Match("users.created", "") {
		fmt.Println(m.Subscription.Value)
	}
	// Output:
	// audit [**]
	// email [users.**]
	// audit
}
