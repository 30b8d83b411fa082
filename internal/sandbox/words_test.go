package sandbox

import (
	"strings"
	"testing"
)

// TestLastWords hears what Go prints when a guest panics (Go 1.26, wasip1).
func TestLastWords(t *testing.T) {
	const said = "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\n" +
		"panic({0x1c5c0?, 0x41a060?})\n\truntime/panic.go:860 +0x1b\nmain.handle(...)\n\texample.com/orders/main.go:42 +0x2d\n" +
		"main.main.func1()\n\texample.com/orders/main.go:17 +0x4"
	var w lastWords
	for line := range strings.SplitSeq(said, "\n") {
		w.hear(line)
	}
	if got, want := w.String(), "panic: runtime error: index out of range [5] with length 3 at main.go:42"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	w = lastWords{}
	w.hear("panic at src/main.rs:12")
	if got, want := w.String(), "panic at src/main.rs:12"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	w = lastWords{}
	w.hear("an ordinary line")
	w.hear("\tmain.go:3 +0x1")
	if w.String() != "" {
		t.Errorf("it heard %q", w.String())
	}
}
