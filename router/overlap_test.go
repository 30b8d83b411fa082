package router_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/router"
)

func TestOverlaps(t *testing.T) {
	for _, tt := range []struct {
		p, q string
		want bool
	}{
		{"a.b", "a.b", true}, {"a.b", "a.c", false}, {"a.*", "a.c", true}, {"a.*", "a", false}, {"a.**", "a", true}, {"*.b", "a.*", true},
		{"**.x", "a.**", true}, {"a.**.z", "**.y", false}, {"a.**.z", "**.y.*", true}, {"**", "$sys.x", false}, {"*.x", "$sys.x", false},
		{"$sys.**", "$sys.x", true}, {"**.$sys", "$sys.**", false}, {"a.*.c", "*.b", false},
	} {
		p, _ := router.ParsePattern(tt.p)
		q, _ := router.ParsePattern(tt.q)
		if p.Overlaps(q) != tt.want || q.Overlaps(p) != tt.want {
			t.Errorf("%s and %s: got %v, %v, want %v", tt.p, tt.q, p.Overlaps(q), q.Overlaps(p), tt.want)
		}
	}
	if (router.Pattern{}).Overlaps(router.Pattern{}) {
		t.Error("nothing overlaps with nothing")
	}
}

// TestOverlapsOracle holds Overlaps against all short topics.
func TestOverlapsOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var topics []string
	words := []string{"a", "b", "$c"}
	level := []string{""}
	for range 5 {
		var next []string
		for _, prefix := range level {
			for _, w := range words {
				next = append(next, strings.TrimPrefix(prefix+"."+w, "."))
			}
		}
		topics, level = append(topics, next...), next
	}
	for range 3000 {
		var ps [2]router.Pattern
		for i := range ps {
			for {
				var parts []string
				for range 1 + rng.IntN(3) {
					parts = append(parts, []string{"a", "b", "$c", "*", "**"}[rng.IntN(5)])
				}
				p, err := router.ParsePattern(strings.Join(parts, "."))
				if err == nil {
					ps[i] = p
					break
				}
			}
		}
		want := false
		for _, topic := range topics {
			want = want || ps[0].Match(topic) && ps[1].Match(topic)
		}
		if got := ps[0].Overlaps(ps[1]); got != want {
			t.Fatalf("%s and %s: got %v, want %v", ps[0], ps[1], got, want)
		}
	}
}
