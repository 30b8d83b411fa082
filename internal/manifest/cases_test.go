package manifest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
)

const aCase = "module = \"m.wasm\"\n[[case]]\nname = \"one\"\n[[case.event]]\ntopic = \"a\"\n"

// everyKey is a file in which every key stands, but for module, subscriber and a few limits.
const everyKey = `
manifest = "avxrt.toml"
emits    = ["c.*"]
config   = { y = "3" }
limits   = { fuel = "5M" }

[[case]]
name   = "first"
config = { z = "4" }
state  = { "a.b/c" = "1" }
after  = {}
[[case.event]]
topic = "a"
key = "k"
data = "d"
content_type = "text/plain"
id = "i"
source = "s"
kind = "timer"
version = 7
attempt = 3
time = "2026-02-03T04:05:06.5Z"
headers = { h = "v" }
ends = "reject"
reason = "r"
changes = { "x.y" = "1" }
deletes = ["z"]
logs = []
reply = ""
fuel = "2K"
  [[case.event.emits]]
  topic = "t"
  key = ""
  data = "x"
  content_type = "c"
  headers = { "q.r" = "s" }
  version = 2
  in = "-1s"
  timer = "n"
  [[case.event.emits]]
  timer = "n"
  cancel = true

[[case]]
name = "second"
event = [{ topic = "b", data_file = "x/y.json", emits = [{ topic = "t" }] }]
`

// TestCases reads it.
func TestCases(t *testing.T) {
	dir := t.TempDir()
	manifest := "[[subscriber]]\nname = \"s\"\nmodule = \"s.wasm\"\ntopics = [\"a\"]\nemits = [\"b\"]\nconfig = { x = \"1\", y = \"2\" }\nlimits = { emits = 3 }\n"
	if err := os.WriteFile(filepath.Join(dir, "avxrt.toml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := parseCases([]byte(everyKey), "f.avx.toml", dir)
	if err != nil {
		t.Fatal(err)
	}
	r := c.Rules
	if r.Name != "s" || c.Module != filepath.Join(dir, "plugins/s.wasm") || r.Limits.Fuel != 5_000_000 || r.Limits.Emits != 3 || r.Limits.LogLines != 64 ||
		len(r.Emits) != 1 || r.Emits[0].String() != "c.*" || r.Config["x"]+r.Config["y"] != "13" {
		t.Errorf("rules %+v of %s", r, c.Module)
	}
	first, ev := c.Cases[0], c.Cases[0].Events[0]
	if first.Line != 7 || first.Config["z"] != "4" || first.State["a.b/c"] != "1" || first.After == nil || ev.Line != 12 {
		t.Errorf("first case %+v", first)
	}
	if ev.Kind != abi.KindTimer || ev.Version != 7 || ev.Attempt != 3 || !ev.Time.Equal(time.Date(2026, 2, 3, 4, 5, 6, 5e8, time.UTC)) || ev.Headers["h"] != "v" || ev.Data+ev.ID+ev.Source+ev.ContentType+ev.Key != "distext/plaink" {
		t.Errorf("its event %+v", ev)
	}
	w := ev.Want
	if w.Ends != "reject" || w.Reason != "r" || !w.State || w.Changes["x.y"] != "1" || w.Deletes[0] != "z" || w.Logs == nil || w.Reply == nil || w.Fuel != 2000 || len(w.Emits) != 2 {
		t.Errorf("what it wants %+v", w)
	}
	if e := w.Emits[0]; *e.Key != "" || *e.Data != "x" || e.Headers["q.r"] != "s" || *e.Version != 2 || *e.In != -time.Second || *e.Timer != "n" || !w.Emits[1].Cancel {
		t.Errorf("emits %+v", w.Emits)
	}
	second := c.Cases[1].Events[0]
	if second.DataFile != filepath.Join(dir, "x/y.json") || second.Want.Ends != "handled" || second.Want.State || second.Want.Logs != nil || c.Cases[1].After != nil || second.Line != 46 {
		t.Errorf("second case %+v", c.Cases[1])
	}
}

// TestCasesRefused names place, key and remedy.
func TestCasesRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "1:1: no module is named"},
		{"module = \"m.wasm\"", "1:1: there is no case; write one"},
		{aCase + "topik = \"b\"\n", `6:1: unknown key "topik" in [[case.event]]; did you mean "topic"?`},
		{aCase + "changes = { a = 1 }\n", "6:"},
		{aCase + "data = \"a\"\ndata_file = \"b\"\n", "7:1: data_file: there is data as well; leave one of them out"},
		{aCase + "attempt = 0\n", "6:1: attempt: 0 is not between 1 and 1000"},
		{aCase + "version = -1\n", "6:1: version: -1 is not between 1"},
		{aCase + "emits = [{ data = \"x\" }]\n", "6:1: emits.topic: what is emitted has no topic"},
		{"limits = { emits = 0 }\n" + aCase, "1:12: limits.emits: 0 is not between 1 and 4096"},
		{"emits = [\"a*\"]\n" + aCase, "1:1: emits: pattern \"a*\""},
		{"manifest = \"nowhere.toml\"\n" + aCase, "nowhere.toml: does not exist"},
		{"case = [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]", "values nested deeper than 16"},
		{"module = ", "1:"},
	} {
		_, err := parseCases([]byte(c.text), "f", t.TempDir())
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q\n got  %v\n want %s", c.text, err, c.want)
		}
	}
	if _, err := LoadCases(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("a folder: %v", err)
	}
}

// FuzzCases: whatever the text is, there is a file of cases or an error with a place.
func FuzzCases(f *testing.F) {
	f.Add(aCase)
	f.Add("[[case]]\n[[case.event]]\n[[case.event.emits]]\nin = \"1s\"\n")
	f.Add("limits = { fuel = \"1M\" }\nconfig = { \"a.b\" = \"\" }\ncase = [{}]\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCases([]byte(text), "f", dir)
		if (c == nil) != (err != nil) {
			t.Fatalf("%v and %v", c, err)
		}
		if c != nil && (c.Module == "" || len(c.Cases) == 0 || len(c.Cases[0].Events) == 0) {
			t.Fatalf("half a file: %+v", c)
		}
	})
}
