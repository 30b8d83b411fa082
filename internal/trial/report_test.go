package trial_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/internal/trial"
)

// FuzzText: what Text makes of bytes is a string of JSON, and Bytes makes them of it again.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "plain", "base64:", "base64:aGk=", "\xff\x00", "ä"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		text := trial.Text(b)
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var decoded string
		if err := json.Unmarshal(encoded, &decoded); err != nil {
			t.Fatal(err)
		}
		back, err := trial.Bytes(decoded)
		if err != nil || !bytes.Equal(back, b) {
			t.Errorf("%q became %q, then %q, %v", b, text, back, err)
		}
	})
}

// TestParseState reads what people write and what avxrt state prints.
func TestParseState(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"a":"1","b/c":"base64:/w=="}`, `{"a":"1","b/c":"base64:/w=="}`},
		{`[{"key":"a","value":"1"},{"key":"b","value":"","value_base64":"/w=="}]`, `{"a":"1","b":"base64:/w=="}`},
		{`{}`, `{}`}, {`[]`, `{}`}, {`null`, `{}`},
		{`{"base64:/w==":"1"}`, `{"base64:/w==":"1"}`},
		{`{"a":1}`, "a state is"}, {`{"a":"base64:%"}`, "base64 must follow"}, {`{"base64:%":"a"}`, "base64 must follow"}, {`a=1`, "a state is"},
	} {
		state, err := trial.ParseState([]byte(c.text))
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			texts := map[string]string{}
			for k, v := range state {
				texts[trial.Text([]byte(k))] = trial.Text(v)
			}
			encoded, _ := json.Marshal(texts)
			got = string(encoded)
		}
		if !strings.HasPrefix(got, c.want) && !strings.Contains(got, c.want) {
			t.Errorf("%s: got %s, want %s", c.text, got, c.want)
		}
	}
}

// TestReport has each part of an outcome in its JSON.
func TestReport(t *testing.T) {
	tr := open(t, newEngine(t, false), probe, trial.Options{Grants: grants(t, "out.*"), State: map[string][]byte{"gone": []byte("\xff")}})
	out := handle(t, tr, "emit out.x \xfe;timer due 1000 out.t y;cancel old;set a 1;del gone;log 1 hi")
	r := out.Report()
	r.Fuel, r.MemoryBytes, r.TookSeconds = 0, 0, 0
	got, err := json.Marshal(r)
	const want = `{"end":"handled","emits":[{"topic":"out.x","key":"k","data":"base64:/g=="},` +
		`{"topic":"out.t","key":"k","headers":{"timer":"due"},"data":"y","due":"2026-01-01T00:00:01Z","timer":"due"},` +
		`{"headers":{"timer":"old"},"data":"","timer":"old","cancel":true}],` +
		`"changes":[{"key":"a","before":null,"after":"1"},{"key":"gone","before":"base64:/w==","after":null}],` +
		`"logs":[{"level":"info","message":"hi"}],"reply":"0 0 0 0 0 ","fuel":0,"memory_bytes":0,"took_seconds":0}`
	if err != nil || string(got) != want {
		t.Errorf("%v\n got  %s\n want %s", err, got, want)
	}
	out = handle(t, tr, "fail 105 no")
	if r := out.Report(); r.Code != 105 || r.Trap != nil || r.Reason != "no" {
		t.Errorf("%+v", r)
	}
	out = handle(t, tr, "trap")
	if r := out.Report(); r.Trap == nil || r.Trap.Kind != "trap" {
		t.Errorf("%+v", r)
	}
}
