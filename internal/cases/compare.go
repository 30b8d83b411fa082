package cases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/internal/trial"
)

// compare holds an outcome against what was wanted; at is the time of the event.
func compare(w *manifest.Want, o *trial.Outcome, at int64) (out []Problem) {
	add := func(what string, want, got []string) {
		if len(want)+len(got) > 0 {
			out = append(out, Problem{What: what, Want: want, Got: got})
		}
	}
	got := strings.TrimSuffix(string(o.End)+": "+o.Reason, ": ")
	if w.Ends != string(o.End) { // the rest differs because of that
		add("ends", []string{w.Ends}, []string{got})
		return out
	}
	if !strings.Contains(o.Reason, w.Reason) {
		add("reason", []string{quote(w.Reason)}, []string{quote(o.Reason)})
	}
	want, came := compareEmits(w.Emits, o.Emits, at)
	add("emits", want, came)
	if w.State {
		want, came := changes(w, o)
		add("changes", want, came)
	}
	if w.Logs != nil {
		want, came := compareLogs(w.Logs, o.Logs)
		add("logs", want, came)
	}
	if w.Reply != nil && (o.Reply == nil || !sameData(*w.Reply, o.Reply)) {
		reply := []string{}
		if o.Reply != nil {
			reply = append(reply, quote(trial.Text(o.Reply)))
		}
		add("reply", []string{quote(*w.Reply)}, reply)
	}
	if w.Fuel != 0 && o.Fuel > w.Fuel {
		add("fuel", []string{fmt.Sprintf("at most %d", w.Fuel)}, []string{fmt.Sprint(o.Fuel)})
	}
	return out
}

// maxPairs is how many pairs align weighs; beyond that it goes by position.
const maxPairs = 1 << 16

// align pairs what was wanted with what came, in order, as many as can be, and returns the
// lines of those that have no partner.
func align(wants, gots int, match func(w, g int) bool, wantLine, gotLine func(i int) string) (want, got []string) {
	start := 0 // behind the pairs that need no search
	for start < min(wants, gots) && match(start, start) {
		start++
	}
	if (wants-start)*(gots-start) > maxPairs {
		match = func(w, g int) bool { return false }
	}
	best := longest(start, wants, gots, match)
	for w, g := start, start; w < wants || g < gots; {
		row := best[w-start]
		switch {
		case w < wants && g < gots && row[g-start] > max(best[w-start+1][g-start], row[g-start+1]):
			w, g = w+1, g+1
		case g == gots || w < wants && best[w-start+1][g-start] >= row[g-start+1]:
			want = append(want, wantLine(w))
			w++
		default:
			got = append(got, gotLine(g))
			g++
		}
	}
	return want, got
}

// longest says, for each place from start on, how many pairs can be made of what follows. A
// pair is part of the answer where leaving either side out makes it smaller.
func longest(start, wants, gots int, match func(w, g int) bool) [][]int {
	best := make([][]int, wants-start+1)
	for w := range best {
		best[w] = make([]int, gots-start+1)
	}
	for w := wants - start - 1; w >= 0; w-- {
		for g := gots - start - 1; g >= 0; g-- {
			best[w][g] = max(best[w+1][g], best[w][g+1])
			if best[w+1][g+1] == best[w][g] && match(start+w, start+g) {
				best[w][g]++
			}
		}
	}
	return best
}

func compareEmits(wants []manifest.WantEmit, emits []sandbox.Emit, at int64) (want, got []string) {
	return align(len(wants), len(emits),
		func(w, g int) bool { return sameEmit(&wants[w], &emits[g], at) },
		func(i int) string { return wantLine(&wants[i]) },
		func(i int) string { return emitLine(&emits[i], at) })
}

func sameEmit(w *manifest.WantEmit, e *sandbox.Emit, at int64) bool {
	ev := &e.Event
	if w.Cancel || e.Cancel {
		return w.Cancel == e.Cancel && *w.Timer == e.Timer
	}
	for k, v := range w.Headers {
		if got, ok := ev.Headers.Get(k); !ok || got != v {
			return false
		}
	}
	switch {
	case w.Topic != ev.Topic, (w.In != nil) != (e.Due != 0):
		return false
	case w.In != nil && e.Due-at != int64(*w.In):
		return false
	}
	return same(w.Key, ev.Key) && same(w.ContentType, ev.ContentType) && same(w.Timer, e.Timer) && same(w.Version, uint64(ev.Version)) &&
		(w.Data == nil || sameData(*w.Data, ev.Data))
}

func same[T comparable](want *T, got T) bool { return want == nil || *want == got }

// sameData compares as JSON where both are, else byte by byte.
func sameData(want string, got []byte) bool {
	w, err := trial.Bytes(want)
	if err != nil || bytes.Equal(w, got) {
		return err == nil
	}
	a, okA := decode(w)
	b, okB := decode(got)
	return okA && okB && reflect.DeepEqual(a, b)
}

// decode reads JSON with numbers as they are written.
func decode(text []byte) (v any, ok bool) {
	if !json.Valid(text) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return v, d.Decode(&v) == nil
}

// changes compares what an event changed of the state.
func changes(w *manifest.Want, o *trial.Outcome) (want, got []string) {
	wanted, came := map[string]string{}, map[string]string{}
	for k, v := range w.Changes {
		wanted[k] = assignment(k, v)
	}
	for _, k := range w.Deletes {
		wanted[k] = "deletes " + quote(k)
	}
	for _, write := range o.Writes {
		k := trial.Text(write.Key)
		switch {
		case write.Existed && !write.Delete && bytes.Equal(write.Before, write.Value), !write.Existed && write.Delete:
		case write.Delete:
			came[k] = "deletes " + quote(k)
		default:
			came[k] = assignment(k, trial.Text(write.Value))
		}
	}
	return mapLines(wanted, came)
}

// stateLines compares two whole states.
func stateLines(want, got map[string]string) ([]string, []string) {
	wanted, came := map[string]string{}, map[string]string{}
	for k, v := range want {
		wanted[k] = assignment(k, v)
	}
	for k, v := range got {
		came[k] = assignment(k, v)
	}
	return mapLines(wanted, came)
}

// mapLines returns the lines that differ, by key.
func mapLines(wanted, came map[string]string) (want, got []string) {
	for _, k := range slices.Sorted(maps.Keys(wanted)) {
		if came[k] != wanted[k] {
			want = append(want, wanted[k])
		}
	}
	for _, k := range slices.Sorted(maps.Keys(came)) {
		if came[k] != wanted[k] {
			got = append(got, came[k])
		}
	}
	return want, got
}

func texts(state map[string][]byte) map[string]string {
	out := map[string]string{}
	for k, v := range state {
		out[trial.Text([]byte(k))] = trial.Text(v)
	}
	return out
}

func compareLogs(wants []string, logs []sandbox.LogLine) (want, got []string) {
	line := func(i int) string { return trial.Levels[logs[i].Level] + " " + logs[i].Message }
	return align(len(wants), len(logs),
		func(w, g int) bool { return strings.Contains(line(g), wants[w]) },
		func(i int) string { return quote(wants[i]) },
		func(i int) string { return quote(line(i)) })
}

// lines is what counts of an outcome, for the comparison with one on a fresh instance.
func lines(o *trial.Outcome) []string {
	out := []string{strings.TrimSuffix(string(o.End)+": "+o.Reason, ": ")}
	for i := range o.Emits {
		out = append(out, emitLine(&o.Emits[i], 0))
	}
	for _, w := range o.Writes {
		if w.Delete {
			out = append(out, "deletes "+quote(trial.Text(w.Key)))
		} else {
			out = append(out, assignment(trial.Text(w.Key), trial.Text(w.Value)))
		}
	}
	if o.Reply != nil {
		out = append(out, "reply "+quote(trial.Text(o.Reply)))
	}
	return out
}

// difference returns the lines that only one of two outcomes has.
func difference(a, b []string) (onlyA, onlyB []string) {
	if slices.Equal(a, b) {
		return nil, nil
	}
	return align(len(a), len(b), func(i, j int) bool { return a[i] == b[j] }, func(i int) string { return a[i] }, func(i int) string { return b[i] })
}

// duration is how long a timer waits, as a case writes it.
func duration(e *sandbox.Emit, at int64) string { return time.Duration(e.Due - at).String() }
