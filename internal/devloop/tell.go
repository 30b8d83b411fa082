package devloop

import (
	"fmt"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/internal/catalogue"
	"github.com/avx-platform/avxrt/internal/rehearsal"
)

// worse tells of the events that only the new module fails.
func worse(k *rehearsal.Kind) string {
	var b strings.Builder
	codes := map[string]bool{}
	for _, d := range k.Shown {
		fmt.Fprintf(&b, "  seq %d %s %s\n", d.Seq, d.Topic, d.Key)
		for _, line := range d.New {
			b.WriteString("    " + line + "\n")
		}
		codes[word(d)] = true
	}
	if rest := k.Count - len(k.Shown); rest > 0 {
		fmt.Fprintf(&b, "  and %d more\n", rest)
	}
	for _, e := range catalogue.All() {
		if codes[e.Word] && e.Word != "" {
			fmt.Fprintf(&b, "  help: %s\n", catalogue.Help(e.Code))
		}
	}
	return b.String()
}

// word is how the catalogue calls what went wrong.
func word(d rehearsal.Difference) string {
	if d.Kind != "" {
		return d.Kind
	}
	return "reject"
}

// replayed tells what differs between the old module and the new one.
func replayed(r *rehearsal.Report, asked int) string {
	switch {
	case r == nil && asked == 0:
		return "  nothing was replayed (--replay 0)\n"
	case r == nil:
		return "  nothing was replayed: its state has another version\n"
	case r.Events == 0:
		return "  replayed 0 past events\n"
	}
	events := fmt.Sprintf("%d past events", r.Events)
	if r.Events == 1 {
		events = "1 past event"
	}
	text := fmt.Sprintf("  replayed %s, from %s: ", events, r.Basis)
	differences := r.Differences()
	if differences == "" {
		return text + fmt.Sprintf("output and state as of generation %d\n", r.Old.Generation)
	}
	text += fmt.Sprintf("differs from generation %d\n", r.Old.Generation) + indent(differences)
	if r.Better.Count > 0 {
		text += fmt.Sprintf("  Next: avxrt dlq redrive %s\n", r.Subscriber)
	}
	return text
}

// seconds writes a time that people waited.
func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// short is as much of a digest as tells modules apart.
func short(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	return digest[:min(len(digest), 12)]
}

// indent sets lines apart from what is said of them. Without lines it is "".
func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\n"); line != "" {
			b.WriteString("  " + line + "\n")
		}
	}
	return b.String()
}
