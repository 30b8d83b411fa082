package build_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/internal/build"
)

// write makes files below dir; a name with / makes folders.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func subscriber(name, module string) string {
	return fmt.Sprintf("[[subscriber]]\nname = %q\nmodule = %q\ntopics = [\"a.b\"]\n", name, module)
}

// TestFind: the language is that of the sources, and the manifest says where the module belongs.
func TestFind(t *testing.T) {
	for _, c := range []struct {
		name, lang string
		files      map[string]string
		dir        string
		want       string // language and file from the top, or a part of the error
	}{
		{"go", "", map[string]string{"fraud/main.go": ""}, "fraud", "go fraud/plugins/fraud.wasm"},
		{"only a test", "", map[string]string{"fraud/main_test.go": ""}, "fraud", "no sources that avxrt can build"},
		{"rust in src", "", map[string]string{"fraud/src/lib.rs": ""}, "fraud", "rust fraud/plugins/fraud.wasm"},
		{"c++", "", map[string]string{"fraud/x.cc": ""}, "fraud", "c fraud/plugins/fraud.wasm"},
		{"assemblyscript", "", map[string]string{"fraud/assembly/index.ts": ""}, "fraud", "assemblyscript fraud/plugins/fraud.wasm"},
		{"two", "", map[string]string{"x/a.c": "", "x/main.rs": ""}, "x", "several languages (rust, c); choose by --lang"},
		{"two, chosen", "c", map[string]string{"x/a.c": "", "x/main.rs": ""}, "x", "c x/plugins/x.wasm"},
		{"not there", "go", map[string]string{"x/a.c": ""}, "x", "no sources in go; it should have *.go"},
		{"unknown", "perl", map[string]string{"x/a.c": ""}, "x", `language "perl" is unknown; use "go", "rust", "c" or "assemblyscript"`},
		{"a slip", "assemblyscrpt", map[string]string{"x/a.c": ""}, "x", `did you mean "assemblyscript"?`},
		{"another name", "golang", map[string]string{"x/a.c": ""}, "x", `did you mean "go"?`},
		{"a file", "", map[string]string{"x": ""}, "x", "is a file"},
		{"only tests", "", map[string]string{"x/a_test.c": "", "x/src/a_test.cc": "", "x/a_test.go": ""}, "x", "has no sources"},
		{"nothing", "", nil, "x", "no such file"},
		{"the only subscriber", "", map[string]string{"x/a.c": "", "x/avxrt.toml": subscriber("s", "deep/other.wasm")}, "x", "c x/plugins/deep/other.wasm"},
		{"one of two", "", map[string]string{"x/a.c": "", "x/avxrt.toml": subscriber("s", "o.wasm") + subscriber("t", "p.wasm")}, "x", "c x/plugins/x.wasm"},
		{"several with one module", "", map[string]string{"x/a.c": "", "x/avxrt.toml": subscriber("s", "o.wasm") + subscriber("t", "o.wasm")}, "x", "c x/plugins/o.wasm"},
		{"manifest above", "", map[string]string{"x/a.c": "", "avxrt.toml": "[plugins]\ndir = \"mods\"\n" + subscriber("s", "other.wasm")}, "x", "c mods/x.wasm"},
		{"bad manifest", "", map[string]string{"x/a.c": "", "x/avxrt.toml": "[nod]"}, "x", `unknown key "nod"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			top := t.TempDir()
			write(t, top, c.files)
			p, err := build.Find(filepath.Join(top, c.dir), build.Language(c.lang), "")
			got := fmt.Sprint(err)
			if err == nil {
				file, _ := filepath.Rel(top, p.File)
				got = string(p.Language) + " " + file
			}
			if err == nil && got != c.want || !strings.Contains(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	top := t.TempDir()
	write(t, top, map[string]string{"a.c": ""})
	if p, err := build.Find(top, "", filepath.Join(top, "out/m.wasm")); err != nil || p.File != filepath.Join(top, "out/m.wasm") || p.Name() != "m" {
		t.Errorf("with a file: %+v, %v", p, err)
	}
}

// TestSources: neither what tools make nor a test is a source, so it asks for no build; but
// that the packages of AssemblyScript were installed does.
func TestSources(t *testing.T) {
	top := t.TempDir()
	write(t, top, map[string]string{
		"main.go": "package main", "go.mod": "", "sub/x.go": "", "main_test.go": "", "plugins/p.go": "", "node_modules/n.go": "", ".git/g.go": "",
		"README.md": "", "data/d.go": "", "a.c": "", "a_test.c": "", "src/b_test.cpp": "", "src/b_test.h": "",
		"assembly/index.ts": "", "node_modules/.package-lock.json": "", "node_modules/assemblyscript/std/types/index.d.ts": "",
	})
	for lang, want := range map[build.Language][]string{
		build.Go: {"go.mod", "main.go", "sub/x.go"}, build.C: {"a.c", "src/b_test.h"},
		build.AssemblyScript: {"assembly/index.ts", "node_modules/.package-lock.json"},
	} {
		p, err := build.Find(top, lang, "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Sources()
		for i := range got {
			got[i], _ = filepath.Rel(top, got[i])
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v, want %v", lang, got, err, want)
		}
	}
}

const tiny = `__attribute__((export_name("avx_run"))) int avx_run(void) { return %s; }`

// toolchain skips a test where a compiler is missing.
func toolchain(t *testing.T, lang build.Language) {
	t.Helper()
	if _, err := build.Check(context.Background(), lang, ""); err != nil {
		t.Skip(err)
	}
}

// TestBuild: the module changes when its sources mean something else, stays when they do not,
// stays when they are wrong, and knows nothing of the folder it was made in.
func TestBuild(t *testing.T) {
	toolchain(t, build.C)
	var digests []string
	for range 2 {
		top := t.TempDir()
		project := func(text string) (build.Result, string, error) {
			write(t, top, map[string]string{"m/tiny.c": text})
			p, err := build.Find(filepath.Join(top, "m"), "", "")
			if err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			r, err := p.Build(context.Background(), build.Options{Output: &said})
			return r, said.String(), err
		}
		first, said, err := project(fmt.Sprintf(tiny, "0"))
		if err != nil || !first.Changed || said != "" {
			t.Fatalf("%+v %v %s", first, err, said)
		}
		digests = append(digests, first.Digest)
		before, _ := os.Stat(first.File)
		again, _, err := project(fmt.Sprintf(tiny, "0"))
		after, _ := os.Stat(first.File)
		if err != nil || again.Changed || again.Digest != first.Digest || !before.ModTime().Equal(after.ModTime()) {
			t.Errorf("the same sources: %+v, %v", again, err)
		}
		_, said, err = project(fmt.Sprintf(tiny, "nothing"))
		var refused *build.CompileError
		if !errors.As(err, &refused) || !strings.Contains(said, "tiny.c:1:") || strings.Contains(said, top) {
			t.Errorf("wrong sources: %v, %s", err, said)
		}
		if wasm, err := os.ReadFile(first.File); err != nil || len(wasm) != first.Bytes {
			t.Errorf("the module after wrong sources: %v", err)
		}
		if other, _, err := project(fmt.Sprintf(tiny, "1")); err != nil || !other.Changed || other.Digest == first.Digest {
			t.Errorf("other sources: %+v, %v", other, err)
		}
		if left, _ := filepath.Glob(filepath.Join(top, "m/plugins/*")); len(left) != 1 {
			t.Errorf("it left %v", left)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("two folders, two modules: %v", digests)
	}
}

// TestCPlusPlus builds what a C compiler would refuse.
func TestCPlusPlus(t *testing.T) {
	toolchain(t, build.C)
	top := t.TempDir()
	write(t, top, map[string]string{"src/tiny.cc": `template <int N> int same() { static int n = N; return n; }
extern "C" __attribute__((export_name("avx_run"))) int avx_run(void) { return same<0>(); }`})
	p, err := build.Find(top, "", "")
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if r, err := p.Build(context.Background(), build.Options{Release: true, Output: &said}); err != nil || r.Bytes == 0 || said.Len() > 0 {
		t.Errorf("%+v, %v, %s", r, err, said.String())
	}
}

// TestCancelled: the end of the context ends the compiler and changes nothing.
func TestCancelled(t *testing.T) {
	toolchain(t, build.C)
	top := t.TempDir()
	write(t, top, map[string]string{"tiny.c": fmt.Sprintf(tiny, "0")})
	p, err := build.Find(top, "", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Build(ctx, build.Options{}); err == nil {
		t.Error("it built")
	}
	if _, err := os.Stat(p.File); !errors.Is(err, os.ErrNotExist) {
		t.Error("there is a module")
	}
}

// TestMissing: what is missing or too old is named, with the way to get it.
func TestMissing(t *testing.T) {
	script := func(text string) string { return "#!/bin/sh\n" + text + "\n" }
	for _, c := range []struct {
		name string
		lang build.Language
		path map[string]string
		want string
	}{
		{"no go", build.Go, nil, "go: go is not on PATH. Debian: see https://go.dev/dl (apt's may be too old). Homebrew: brew install go"},
		{"old go", build.Go, map[string]string{"go": script("echo go version go1.21.3 linux/amd64")}, "Go 1.21, modules need 1.24 or later"},
		{"strange go", build.Go, map[string]string{"go": script("echo hello")}, `does not say its version but "hello"`},
		{"broken go", build.Go, map[string]string{"go": script("exit 3")}, "does not run: exit status 3"},
		{"no clang", build.C, nil, "c: clang is not on PATH. Debian: apt-get install clang lld. Homebrew: brew install llvm lld"},
		{"Apple's clang", build.C, map[string]string{"clang": script("echo arm64")}, "clang cannot build for wasm32"},
		{"no linker", build.C, map[string]string{"clang": script("echo wasm32")}, "wasm-ld, the linker, is not on PATH"},
		{"no node", build.AssemblyScript, nil, "node is not on PATH"},
		{"old node", build.AssemblyScript, map[string]string{"node": script("echo v18.19.0")}, "is Node 18, the AssemblyScript compiler needs 20 or later"},
		{"no packages", build.AssemblyScript, map[string]string{"node": script("echo v20.1.0")}, "the compiler is not in the project's node_modules. Run: npm install"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bin, project := t.TempDir(), t.TempDir()
			write(t, bin, c.path)
			t.Setenv("PATH", bin)
			_, err := build.Check(context.Background(), c.lang, project)
			var missing *build.MissingError
			if err == nil && c.lang == build.C { // Homebrew's own folders have one
				t.Skip("a clang lies outside of PATH")
			}
			if !errors.As(err, &missing) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestRustWithTarget: a rustc without the target is passed over for one that has it.
func TestRustWithTarget(t *testing.T) {
	bin, lib := t.TempDir(), t.TempDir()
	write(t, bin, map[string]string{"rustc": "#!/bin/sh\necho " + lib + "\n"})
	t.Setenv("PATH", bin)
	tools, err := build.Check(context.Background(), build.Rust, "")
	var missing *build.MissingError
	if err == nil && tools.Path == filepath.Join(bin, "rustc") || err != nil && !(errors.As(err, &missing) && strings.Contains(err.Error(), "rustc cannot build for wasm32-unknown-unknown")) {
		t.Errorf("%+v, %v", tools, err)
	}
	write(t, lib, map[string]string{"libcore-1.rlib": ""})
	if tools, err := build.Check(context.Background(), build.Rust, ""); err != nil || tools.Path != filepath.Join(bin, "rustc") {
		t.Errorf("with the target: %+v, %v", tools, err)
	}
}
