package manifest_test

import (
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/internal/manifest"
)

func TestCycles(t *testing.T) {
	for name, tt := range map[string]struct{ subs, want string }{
		"none":       {"a: x -> y; b: y -> z", ""},
		"itself":     {"a: x.* -> x.y", "a"},
		"ping-pong":  {"a: x -> y; b: y -> x", "a b"},
		"three":      {"c: z -> x; a: x -> y; b: y -> z", "c a b"},
		"two knots":  {"a: x -> y; b: y -> x; c: u -> v; d: v -> u", "a b, c d"},
		"by pattern": {"a: orders.** -> *.made; b: stock.* -> orders.late", "a, b a"},
		"hidden":     {"a: ** -> $effect.smtp.send", ""},
		"shortest":   {"a: x -> y; b: y -> z; c: z -> x; d: y -> x", "a d, b c a"},
	} {
		t.Run(name, func(t *testing.T) {
			text := ""
			for sub := range strings.SplitSeq(tt.subs, "; ") {
				who, rest, _ := strings.Cut(sub, ": ")
				topics, emits, _ := strings.Cut(rest, " -> ")
				text += "[[subscriber]]\nname = \"" + who + "\"\nmodule = \"m.wasm\"\ntopics = [\"" + topics + "\"]\nemits = [\"" + emits + "\"]\n"
			}
			m, err := manifest.Parse([]byte(text), t.TempDir(), nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range m.Cycles() {
				got = append(got, strings.Join(c.Subscribers, " "))
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
