package scaffold_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/internal/build"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/scaffold"
)

var placeholder = regexp.MustCompile(`@[A-Z]+@`)

// TestNew: a project of each language is whole, its manifest and cases are in order, its
// handler is found by avxrt build, and its SDK is that of this repository.
func TestNew(t *testing.T) {
	for _, c := range []struct {
		lang         build.Language
		opts         scaffold.Options
		theirs, ours string // a file of the SDK
	}{
		{build.Go, scaffold.Options{}, "sdk/avx.go", "go/avx.go"},
		{build.Rust, scaffold.Options{}, "avx.rs", "rust/avx.rs"},
		{build.Rust, scaffold.Options{Cargo: true}, "sdk/avx.rs", "rust/avx.rs"},
		{build.C, scaffold.Options{}, "avx.h", "c/avx.h"},
		{build.AssemblyScript, scaffold.Options{}, "assembly/avx.ts", "assemblyscript/avx.ts"},
	} {
		lang, sdk := c.lang, c
		t.Run(fmt.Sprintf("%s cargo=%v", lang, c.opts.Cargo), func(t *testing.T) {
			dir := t.TempDir()
			p, err := scaffold.New(dir, "fraud-2", lang, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range p.Files {
				text, err := os.ReadFile(filepath.Join(p.Dir, file))
				if err != nil || len(text) == 0 {
					t.Errorf("%s: %v", file, err)
				}
				if left := placeholder.Find(text); left != nil || placeholder.MatchString(file) || strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, ".tmpl") {
					t.Errorf("%s has %s in it", file, left)
				}
			}
			for _, want := range []string{"README.md", ".gitignore", "avxrt.toml", "avxrt.schema.json", "fraud-2.avx.toml"} {
				if !slices.Contains(p.Files, want) {
					t.Errorf("%s is not among %v", want, p.Files)
				}
			}
			m, err := manifest.Load(filepath.Join(p.Dir, "avxrt.toml"), nil)
			if err != nil || m.Subscribers[0].Name != "fraud-2" {
				t.Errorf("manifest: %v", err)
			}
			c, err := manifest.LoadCases(filepath.Join(p.Dir, "fraud-2.avx.toml"))
			if err != nil || c.Module != filepath.Join(p.Dir, "plugins/fraud-2.wasm") {
				t.Errorf("cases: %v", err)
			}
			if text, err := os.ReadFile(filepath.Join(p.Dir, "package-lock.json")); lang == build.AssemblyScript && (err != nil || bytes.Count(text, []byte(`"fraud-2"`)) != 2) {
				t.Errorf("lock: %v", err)
			}
			found, err := build.Find(p.Dir, "", "")
			if err != nil || found.Language != lang || found.File != c.Module {
				t.Errorf("build finds %+v, %v", found, err)
			}
			ours, err := os.ReadFile(filepath.Join("../../sdk", sdk.ours))
			theirs, err2 := os.ReadFile(filepath.Join(p.Dir, sdk.theirs))
			if err != nil || err2 != nil || !bytes.Equal(ours, theirs) {
				t.Errorf("the SDK differs: %v, %v", err, err2)
			}
			if info, _ := os.Stat(p.Dir); info.Mode().Perm() != 0o755 {
				t.Errorf("the folder has the mode %v", info.Mode())
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

// TestRefused: nothing is made where something is in the way.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "taken"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		lang build.Language
		want string
	}{
		{"taken", build.C, "is there already; choose another name, or remove it"},
		{"Upper", build.C, "is no name for a subscriber"},
		{"a/b", build.C, "is no name for a subscriber"},
		{"", build.C, "is no name for a subscriber"},
		{"new", "cobol", `language "cobol" is unknown; use "go", "rust", "c" or "assemblyscript"`},
	} {
		if _, err := scaffold.New(dir, c.name, c.lang, scaffold.Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s in %s: %v, want %s", c.name, c.lang, err, c.want)
		}
	}
	for _, c := range []struct {
		name string
		lang build.Language
		want string
	}{
		{"new", build.C, "cargo builds Rust, not c"},
		{"avx", build.Rust, "is the name of the SDK's crate"},
		{"2fast", build.Rust, "let it begin with a letter"},
	} {
		if _, err := scaffold.New(dir, c.name, c.lang, scaffold.Options{Cargo: true}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of cargo in %s: %v, want %s", c.name, c.lang, err, c.want)
		}
	}
	if _, err := scaffold.New(filepath.Join(dir, "nowhere"), "x", build.C, scaffold.Options{}); err == nil || !strings.Contains(err.Error(), "nowhere/x was not made: ") {
		t.Errorf("in a folder that is not there: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("it left %v", left)
	}
}
