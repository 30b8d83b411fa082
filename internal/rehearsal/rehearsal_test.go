package rehearsal_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/avx-platform/avxrt/internal/rehearsal"
)

// TestStories runs the transcripts in testdata. Each command is one rehearsal and prints its
// report, or with json what the interface answers. same asks for the same emits and state,
// base=k=v says what the state held. Each line of the input is one event, or as many as
// times=n says, old and new apart by a bar:
//
//	end [fuel=n] [limit] [stumbled] [emit=topic/data] [set=key=value] [del=key] | end …
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			rules := rehearsal.Rules{Same: d.HasArg("same")}
			if d.HasArg("base") {
				var text string
				d.ScanArgs(t, "base", &text)
				key, value, _ := strings.Cut(text, ":")
				rules.Base = func(k string) ([]byte, bool) { return []byte(value), k == key }
			}
			c := rehearsal.New(rules)
			seq := uint64(0)
			for line := range strings.Lines(d.Input) {
				times, line := 1, strings.TrimSpace(line)
				if rest, ok := strings.CutPrefix(line, "times="); ok {
					n, rest, _ := strings.Cut(rest, " ")
					times, _ = strconv.Atoi(n)
					line = rest
				}
				old, new, _ := strings.Cut(line, "|")
				for range times {
					seq++
					c.Add(rehearsal.Event{Seq: seq, Topic: "a.b", Key: "k"}, outcome(t, old), outcome(t, new))
				}
			}
			return printReport(t, c.Report(), d.Cmd)
		})
	})
}

func printReport(t *testing.T, r rehearsal.Report, format string) string {
	t.Helper()
	r.Subscriber, r.Basis = "s", "the state as of seq 1"
	r.Old.Generation, r.Old.Digest, r.New.Digest = 3, "sha256:0123456789abcdef", "sha256:fedcba9876543210"
	if format == "json" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func outcome(t *testing.T, text string) rehearsal.Outcome {
	t.Helper()
	o := rehearsal.Outcome{Took: time.Millisecond}
	for i, word := range strings.Fields(text) {
		name, value, _ := strings.Cut(word, "=")
		first, second, _ := strings.Cut(value, "=")
		switch {
		case i == 0:
			o.End = rehearsal.End(name)
			if o.End != rehearsal.Handled {
				o.Message, o.Code = "why", 2
			}
		case name == "fuel":
			if _, err := fmt.Sscan(value, &o.Fuel); err != nil {
				t.Fatal(err)
			}
		case name == "limit":
			o.OverLimit = true
		case name == "stumbled":
			o.Stumbled = "trap: once"
		case name == "emit":
			topic, data, _ := strings.Cut(value, "/")
			o.Emits = append(o.Emits, rehearsal.Emit{Topic: topic, Key: "k", Data: []byte(data)})
		case name == "set":
			o.Writes = append(o.Writes, rehearsal.Write{Key: []byte(first), Value: []byte(second)})
		case name == "del":
			o.Writes = append(o.Writes, rehearsal.Write{Key: []byte(value), Delete: true})
		default:
			t.Fatalf("unknown word %q", word)
		}
	}
	return o
}

// TestShowIsHarmless: what events and guests say must not steer a terminal, nor fill it.
func TestShowIsHarmless(t *testing.T) {
	c := rehearsal.New(rehearsal.Rules{})
	hostile := "\x1b[2J\u202e\r\n" + strings.Repeat("x", 10_000)
	c.Add(rehearsal.Event{Seq: 1, Topic: hostile, Key: hostile}, rehearsal.Outcome{End: rehearsal.Handled},
		rehearsal.Outcome{End: rehearsal.Trapped, Message: hostile, Writes: []rehearsal.Write{{Key: []byte(hostile), Value: []byte("\xff\xfe\x1b" + hostile)}}})
	text := printReport(t, c.Report(), "")
	if strings.ContainsAny(text, "\x1b\u202e\r") || len(text) > 5000 {
		t.Fatalf("%d bytes: %.300q", len(text), text)
	}
}
