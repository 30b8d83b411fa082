package nearest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/nearest"
)

func ExampleHint() {
	fmt.Println(nearest.Hint("shadwo", "immediate", "shadow", "canary"))
	fmt.Println(nearest.Hint("slow", "immediate", "shadow", "canary"))
	// Output:
	// did you mean "shadow"?
	// use "immediate", "shadow" or "canary"
}

func TestWord(t *testing.T) {
	verbs := []string{"run", "dev", "tail", "trace", "state", "stream", "dlq", "inspect"}
	for word, want := range map[string]string{
		"tial": "tail", "trail": "tail", "statee": "state", "sate": "state", "steam": "stream", "runn": "run", "inspcet": "inspect",
		"": "", "x": "", "ru": "", "dl": "", "zzz": "", "de": "", "tail": "tail", "trce": "trace", "inspection": "",
	} {
		if got := nearest.Word(word, verbs...); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
	if got := nearest.Word("ab", "abc", "ab"); got != "" && got != "ab" {
		t.Errorf("got %q", got)
	}
	if got := nearest.Hint("x"); got != "" {
		t.Errorf("without words: %q", got)
	}
}

// TestHostile: a word of many megabytes costs nothing.
func TestHostile(t *testing.T) {
	long := strings.Repeat("a", 64<<20)
	start := time.Now()
	for range 1000 {
		if nearest.Word(long, "state", "stream") != "" {
			t.Fatal("it was near")
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}
