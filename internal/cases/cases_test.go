package cases

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/internal/trial"
)

// run runs the text of a file of cases on the probe.
func run(t *testing.T, text string) ([]Result, error) {
	t.Helper()
	wasm, err := os.ReadFile("../sandbox/testdata/probe.wasm")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x"+manifest.CasesSuffix)
	if err := os.WriteFile(path, []byte("module = \"probe.wasm\"\nemits = [\"out.*\"]\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := manifest.LoadCases(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	e, err := sandbox.NewEngine(ctx, sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(ctx) })
	m, err := e.Load(ctx, "probe", wasm)
	if err != nil {
		t.Fatal(err)
	}
	return Run(ctx, m, c, func(string) bool { return true })
}

const head = "[[case]]\nname = \"x\"\n"

// TestRun: each kind of expectation passes where it holds and fails where it does not.
func TestRun(t *testing.T) {
	for _, c := range []struct{ event, want string }{ // want: the first problem, "" if there is none
		{`data = "emit out.a {\"x\":1.0,\"y\":[]}"
emits = [{ topic = "out.a", data = '{ "y": [], "x": 1.0 }' }]`, ""},
		{`data = "emit out.a {\"x\":1.0}"
emits = [{ topic = "out.a", data = '{ "x": 1 }' }]`, `emits - { topic = "out.a", data = '{ "x": 1 }' } + { topic = "out.a", data = '{"x":1.0}' }`},
		{`data = "emit out.a 1;emit out.b 2;emit out.c 3"
emits = [{ topic = "out.b" }, { topic = "out.c" }]`, `emits + { topic = "out.a", data = "1" }`},
		{`data = "emit out.a 1;emit out.b 2"
emits = [{ topic = "out.b" }, { topic = "out.a" }]`, `emits - { topic = "out.b" } + { topic = "out.b", data = "2" }`},
		{`data = "emit out.a 1"`, `emits + { topic = "out.a", data = "1" }`},
		{`data = "later 5 out.a 1"
emits = [{ topic = "out.a", in = "5ms" }]`, ""},
		{`data = "later 5 out.a 1"
emits = [{ topic = "out.a" }]`, `emits - { topic = "out.a" } + { topic = "out.a", data = "1", in = "5ms" }`},
		{`data = "cancel n"
emits = [{ timer = "n", cancel = true }]`, ""},
		{`data = "cancel n"
emits = [{ timer = "m", cancel = true }]`, `emits - { timer = "m", cancel = true } + { timer = "n", cancel = true }`},
		{"data = \"set a 1\"", ""},
		{"data = \"set a 1\"\nchanges = { a = \"1\" }", ""},
		{"data = \"set a 1\"\nchanges = {}", `changes + a = "1"`},
		{"data = \"\"\nchanges = { \"a b\" = \"1\" }", `changes - "a b" = "1"`},
		{"data = \"del nobody\"\nchanges = {}", ""},
		{"data = \"log 1 a b\"\nlogs = [\"a b\"]", ""},
		{"data = \"log 1 a b\"\nlogs = [\"info a b\"]", ""},
		{"data = \"log 1 a b\"\nlogs = [\"warn a b\"]", `logs - "warn a b" + "info a b"`},
		{"data = \"log 1 a\"\nlogs = []", `logs + "info a"`},
		{"data = \"get a\"\nreply = \"-1 \"", ""},
		{"data = \"\"\nreply = \"\"", `reply - ""`},
		{"data = \"fail 2 no\"\nends = \"reject\"", ""},
		{"data = \"fail 2 no\"", "ends - handled + reject: no"},
		{"data = \"fail 1 no\"\nends = \"retry\"\nreason = \"n\"", ""},
		{"data = \"fail 1 no\"\nends = \"retry\"\nreason = \"x\"", `reason - "x" + "no"`},
		{"data = \"loop\"\nends = \"trap\"\nreason = \"fuel\"", ""},
		{"data = \"base64:c2V0IGEgMQ==\"\nchanges = { a = \"1\" }", ""},
	} {
		results, err := run(t, head+"[[case.event]]\ntopic = \"a.b\"\n"+c.event)
		if err != nil {
			t.Errorf("%s: %v", c.event, err)
			continue
		}
		r, got := results[0], ""
		if len(r.Problems) > 0 {
			p := r.Problems[0]
			got = strings.Join(slices.Concat([]string{p.What}, prefixed("- ", p.Want), prefixed("+ ", p.Got)), " ")
		}
		if got != c.want || r.OK != (c.want == "") {
			t.Errorf("%s\n got  %s\n want %s", c.event, got, c.want)
		}
	}
}

func prefixed(prefix string, lines []string) []string {
	out := slices.Clone(lines)
	for i := range out {
		out[i] = prefix + out[i]
	}
	return out
}

// TestFresh: what a guest keeps in memory fails its case, though all that was asked for came.
func TestFresh(t *testing.T) {
	const event = "[[case.event]]\ntopic = \"a.b\"\ndata = \"%s\"\n"
	results, err := run(t, head+fmt.Sprintf(event, "grow 1")+fmt.Sprintf(event, "grow 0"))
	if err != nil || results[0].OK || len(results[0].Problems) != 1 || results[0].Problems[0].Event != 2 || !strings.Contains(results[0].Problems[0].What, "fresh instance") {
		t.Errorf("%+v, %v", results, err)
	}
	results, err = run(t, head+fmt.Sprintf(event, "set a 1")+fmt.Sprintf(event, "fail 2 no")+"ends = \"reject\"\n"+fmt.Sprintf(event, "get a"))
	if err != nil || !results[0].OK {
		t.Errorf("state instead of memory: %+v, %v", results, err)
	}
}

// TestFaults of a case are told with their line.
func TestFaults(t *testing.T) {
	for text, want := range map[string]string{
		head + "state = { a = \"base64:%\" }\n[[case.event]]\ntopic = \"a\"\n": ":3:1: state: ",
		head + "[[case.event]]\ntopic = \"a\"\ndata = \"base64:%\"\n":          ":5:1: data: ",
		head + "[[case.event]]\ntopic = \"a..b\"\n":                            `:5:1: event: topic "a..b"`,
		head + "[[case.event]]\ntopic = \"a\"\ndata_file = \"nowhere\"\n":      ":5:1: data_file: ",
		head + "[[case.event]]\ntopic = \"a\"\ndata_file = \".\"\n":            "is not a regular file",
		head + "[[case.event]]\ntopic = \"a\"\nheaders = { \"\" = \"x\" }\n":   ":5:1: headers: ",
	} {
		if _, err := run(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestWords: the ends that a case may name are those of package trial.
func TestWords(t *testing.T) {
	for _, end := range []trial.End{trial.Handled, trial.Retry, trial.Rejected, trial.Skipped, trial.Stopped, trial.Trapped, trial.Unstarted} {
		if _, err := run(t, head+fmt.Sprintf("[[case.event]]\ntopic = \"a\"\nends = %q\n", end)); err != nil {
			t.Errorf("%s: %v", end, err)
		}
	}
}

// FuzzQuote: what is shown of a string can be copied into a case and means the same there.
func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "a", `"`, `\`, "'", `'"\`, "\n\t\x00\u202e", "ä"} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, s string) {
		shown := trial.Text([]byte(s))
		text := "module = \"x\"\n[[case]]\nname = \"x\"\nafter = { " + quoteKey(shown) + " = " + quote(shown) + " }\n[[case.event]]\ntopic = \"a\"\n"
		path := filepath.Join(dir, "x"+manifest.CasesSuffix)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := manifest.LoadCases(path)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got, ok := c.Cases[0].After[shown]; !ok || got != shown {
			t.Errorf("%q became %q", shown, c.Cases[0].After)
		}
	})
}

// TestAlign pairs as many as it can, and beyond its bound at least those in front.
func TestAlign(t *testing.T) {
	for _, c := range []struct{ want, got, left string }{
		{"", "", ""}, {"abc", "abc", ""}, {"abc", "bc", "-a"}, {"bc", "abc", "+a"}, {"abcd", "acxd", "-b+x"}, {"ab", "ba", "-a+a"}, {"abc", "", "-a-b-c"},
		{strings.Repeat("a", 300) + "b", strings.Repeat("a", 300) + "c", "-b+c"},
	} {
		want, got := align(len(c.want), len(c.got), func(w, g int) bool { return c.want[w] == c.got[g] },
			func(i int) string { return "-" + c.want[i:i+1] }, func(i int) string { return "+" + c.got[i:i+1] })
		if left := strings.Join(want, "") + strings.Join(got, ""); left != c.left {
			t.Errorf("%s, %s: %s, want %s", c.want, c.got, left, c.left)
		}
	}
}

// TestFind: hidden folders and those of tools hold no cases of ours.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.avx.toml", "sub/b.avx.toml", ".hidden/c.avx.toml", "node_modules/d.avx.toml", "sub/avxrt.toml", "none/x"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for _, c := range []struct{ args, want string }{
		{"./...", "a.avx.toml sub/b.avx.toml"}, {"...", "a.avx.toml sub/b.avx.toml"}, {".", "a.avx.toml"}, {"sub sub/b.avx.toml", "sub/b.avx.toml"},
		{"sub/...", "sub/b.avx.toml"}, {"none", "none has no files of cases (*.avx.toml); name files, or none/... for all below"},
		{"none/...", "there are no files of cases (*.avx.toml) in or below none; avxrt new makes a project with one, docs/cases.md says what is in it"}, {"nowhere", "no such file"}, {"nowhere/...", "no such file"},
	} {
		found, err := Find(strings.Fields(c.args))
		if got := strings.Join(found, " ") + fmt.Sprint(err); !strings.HasPrefix(got, c.want) && !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.args, got, c.want)
		}
	}
}
