package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGeneratedFiles: the files of the repository that are made from the code are what the
// code makes. With AVXRT_WRITE_DOCS=1 (make docs) they are written instead.
func TestGeneratedFiles(t *testing.T) {
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for what, file := range map[string]string{
		"manifest-reference": "docs/manifest.md", "error-reference": "docs/errors.md", "schema": "docs/avxrt.schema.json",
	} {
		made, err := exec.Command(program, "generate", what).Output()
		if err != nil || len(made) == 0 {
			t.Fatalf("avxrt generate %s: %v", what, err)
		}
		path := filepath.Join("../..", file)
		if os.Getenv("AVXRT_WRITE_DOCS") != "" {
			if err := os.WriteFile(path, made, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if have, err := os.ReadFile(path); err != nil || string(have) != string(made) {
			t.Errorf("%s is not what avxrt generate %s prints; run make docs (%v)", file, what, err)
		}
	}
}

// verbs returns the paths of all verbs below one, as its help lists them.
func verbs(t *testing.T, program string, path ...string) [][]string {
	t.Helper()
	help, err := exec.Command(program, append(path, "--help")...).Output()
	if err != nil {
		t.Fatalf("%v --help: %v", path, err)
	}
	all := [][]string{path}
	shelf := "" // the heading above a line
	for line := range strings.Lines(string(help)) {
		words := strings.Fields(line)
		switch {
		case strings.HasSuffix(line, ":\n") && !strings.HasPrefix(line, " "):
			shelf = words[0]
		case shelf == "Usage:" || shelf == "Examples:" || shelf == "Flags:" || shelf == "For":
		case len(words) > 1 && strings.HasPrefix(line, "  ") && words[0] != "help":
			all = append(all, verbs(t, program, append(path[:len(path):len(path)], words[0])...)...)
		}
	}
	return all
}

// TestManPages: every verb has a page that names its flags, and the typesetter takes it.
func TestManPages(t *testing.T) {
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "man")
	if out, err := exec.Command(program, "generate", "man", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	all := verbs(t, program)
	if len(all) < 40 {
		t.Fatalf("there are %d verbs", len(all))
	}
	for _, path := range all {
		name := strings.Join(append([]string{"avxrt"}, path...), "-") + ".1"
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%v has no page: %v", path, err)
			continue
		}
		for _, part := range []string{".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", `\-\-help`, "errors CODE"} {
			if !strings.Contains(string(page), part) {
				t.Errorf("%s does not have %s", name, part)
			}
		}
		for line := range strings.Lines(string(page)) {
			if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !strings.ContainsRune("TSPBnfb", rune(line[1])) {
				t.Errorf("%s has a request that nobody wrote: %s", name, line)
			}
		}
	}
	if page, _ := os.ReadFile(filepath.Join(dir, "avxrt-version.1")); strings.Contains(string(page), "server") {
		t.Error("avxrt version has the address of a node, which it does not ask")
	}
	if page, _ := os.ReadFile(filepath.Join(dir, "avxrt.1")); !strings.Contains(string(page), "4 the manifest is wrong, 70 a guest") {
		t.Errorf("avxrt.1 does not have every exit code")
	}
	if pages, _ := os.ReadDir(dir); len(pages) != len(all) {
		t.Errorf("%d pages of %d verbs", len(pages), len(all))
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not here, the pages were not set")
	}
	pages, _ := filepath.Glob(filepath.Join(dir, "*.1"))
	if out, err := exec.Command(groff, append([]string{"-man", "-ww", "-z", "-Tutf8"}, pages...)...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}
