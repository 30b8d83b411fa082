package main_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages are what is followed literally.
var pages = []string{"README.md", "docs/*.md", "docs/guides/*.md", "examples/*/README.md"}

// TestPages does what each page says, block by block, in a copy of the repository, and holds
// what the commands print against what the page shows. docs/pages.md has the rules.
func TestPages(t *testing.T) {
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range pages {
		names, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(names) == 0 && !strings.Contains(pattern, "guides") {
			t.Fatalf("no page is called %s: %v", pattern, err)
		}
		for _, name := range names {
			title, _ := filepath.Rel("../..", name)
			p, err := parsePage(title, string(readFile(t, name)))
			if err != nil {
				t.Error(err)
				continue
			}
			if strings.HasPrefix(pattern, "examples/") && !p.hasCommands() {
				t.Errorf("%s has no console block: an example is shown by running it", title)
			}
			if len(p.steps) == 0 {
				continue
			}
			t.Run(strings.TrimSuffix(title, "/README.md"), func(t *testing.T) {
				t.Parallel()
				if tool := p.missingTool(); tool != "" {
					t.Skipf("the page needs %s", tool)
				}
				if err := p.run(copyOfRepository(t), program, freeAddress(t), t.Logf); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestPagesCanFail runs pages that are wrong in one way each.
func TestPagesCanFail(t *testing.T) {
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	const shown = "```console\n$ echo one two\none   two\n```\n"
	root := copyOfRepository(t) // none of these pages changes what another one reads
	for name, tt := range map[string]struct{ text, want string }{
		"right":                {shown, ""},
		"other output":         {"```console\n$ echo one\ntwo\n```\n", "x.md:2: $ echo one"},
		"a line too few":       {"```console\n$ printf 'one\\ntwo\\n'\none\n```\n", "x.md:2"},
		"a line too many":      {"```console\n$ echo one\none\ntwo\n```\n", "x.md:2"},
		"output not shown":     {"```console\n$ echo one\n```\n", "x.md:2"},
		"any text":             {"```console\n$ echo one two three\none … three\n```\n", ""},
		"any text is bounded":  {"```console\n$ echo one two four\none … three\n```\n", "x.md:2"},
		"any lines":            {"```console\n$ seq 9\n1\n…\n9\n```\n", ""},
		"any lines is bounded": {"```console\n$ seq 9\n1\n…\n8\n```\n", "x.md:2"},
		"times are alike":      {"```console\n$ echo 2026-11-25T13:00:00Z 17ms\n2025-01-02T03:04:05.678Z 1m2s\n```\n", ""},
		"a time is a time":     {"```console\n$ echo yesterday\n2025-01-02T03:04:05.678Z\n```\n", "x.md:2"},
		"numbers are not":      {"```console\n$ echo seq 17\nseq 18\n```\n", "x.md:2"},
		"fails":                {"```console\n$ false\n```\n", "exit"},
		"fails as shown":       {"```console\n$ avxrt state\navxrt: …\n```\n", ""},
		"does not fail":        {"```console\n$ echo avxrt: no\navxrt: no\n```\n", "shows a failure"},
		"goes on after cd":     {"```console\n$ cd docs\n$ basename $PWD\ndocs\n```\n", ""},
		"more lines":           {"```console\n$ cat <<'END'\n> one $PWD\n> END\none $PWD\n```\n", ""},
		"runs on":              {"```console running\n$ sh -c 'trap \"echo bye; exit 0\" INT; echo up; while :; do read -t 1 x < /dev/null || :; done'\nup\n```\n```console\n^C\nbye\n```\n", ""},
		"goes on":              {"```console running\n$ sh -c 'trap \"exit 0\" INT; echo up; while :; do read -t 1 x < /dev/null || :; cat note 2>&-; done'\nup\n```\n```console\n$ echo a note > note\n```\n```console running\na note\n```\n", ""},
		"does not go on":       {"```console running\n$ sh -c 'echo up; echo and running'\nup\n```\n```console running\nup\n```\n", "x.md:6"},
		"goes on with nothing": {"```console running\nup\n```\n", "nothing is running"},
		"ends by itself":       {"```console running\n$ sh -c 'echo up; exit 3'\nup\nand running\n```\n", "x.md:2"},
		"^C of nothing":        {"```console\n^C\n```\n", "nothing is running"},
		"a file is quoted":     {"```toml examples/01-hello-subscriber/avxrt.toml\nname   = \"hello\"\n```\n", ""},
		"a quote is old":       {"```toml examples/01-hello-subscriber/avxrt.toml\nname   = \"hullo\"\n```\n", "does not say"},
		"a file is saved":      {"```toml save some.toml\na = 1\n```\n```console\n$ cat some.toml\na = 1\n```\n", ""},
		"no command":           {"```console\none\n```\n", "x.md:2"},
		"no end":               {"```console\n$ echo\n", "no end"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := parsePage("x.md", tt.text)
			if err == nil {
				err = p.run(root, program, freeAddress(t), t.Logf)
			}
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// copyOfRepository has what a page may touch: everything but tests' data and figures.
func copyOfRepository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "abi", "router", "log", "runtime", "internal", "sdk", "plugins", "examples", "cmd", "docs"} {
		copyInto(t, filepath.Join(dir, name), filepath.Join("../..", name))
	}
	return dir
}

// copyInto copies a file, or a folder with what is in it, without what running leaves behind.
func copyInto(t *testing.T, to, from string) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, name)
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "data" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case !d.Type().IsRegular() || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		return os.WriteFile(target, readFile(t, name), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestGuideNamesMetrics: each metric that the operator's guide names is one that a node has.
func TestGuideNamesMetrics(t *testing.T) {
	n := start(t, shopExample(t), t.TempDir())
	defer n.drain(t)
	answer, err := http.Get("http://" + n.server + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	metrics, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	guide := string(readFile(t, "../../docs/operators-guide.md"))
	names := regexp.MustCompile(`\bavxrt_[a-z_]+[a-z]`).FindAllString(guide, -1)
	if len(names) < 12 {
		t.Fatalf("the guide names %d metrics only", len(names))
	}
	for _, name := range names {
		if name == "avxrt_guest" { // the beginning of what subscribers name
			continue
		}
		if !strings.Contains(string(metrics), "# TYPE "+name+" ") {
			t.Errorf("the guide names %s, which a node does not have", name)
		}
	}
}

// TestPageLinks: what a page links to in the repository is there.
func TestPageLinks(t *testing.T) {
	links, number := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`), 0
	for _, pattern := range append(pages, "plugins/*/README.md") {
		names, _ := filepath.Glob(filepath.Join("../..", pattern))
		for _, name := range names {
			for _, m := range links.FindAllStringSubmatch(string(readFile(t, name)), -1) {
				number++
				if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
					t.Errorf("%s: a link leads nowhere: %s", name, m[1])
				}
			}
		}
	}
	if number < 40 {
		t.Errorf("only %d links were found", number)
	}
}
