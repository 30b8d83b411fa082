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

// cargoToml is that of a subscriber which takes the SDK from this repository.
const cargoToml = `[package]
name = "fraud"
version = "0.1.0"
edition = "2021"
[lib]
crate-type = ["cdylib"]
[profile.release]
lto = true
[dependencies]
avx = { path = "SDK", features = [FEATURES] }
`

const cargoGuest = `#![cfg_attr(all(target_arch = "wasm32", not(feature = "std")), no_std)]
fn handle(ev: &avx::Event) -> avx::Outcome { avx::emit(b"out", ev.key, b"one") }
avx::subscriber!(handle);
`

// cargoProject writes one, and returns how to build it with other files.
func cargoProject(t *testing.T, features string) (dir string, make func(files map[string]string) (build.Result, string, error)) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "fraud")
	sdk, err := filepath.Abs("../../sdk/rust")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := build.Check(t.Context(), build.Rust, sdk); err != nil {
		t.Skip(err)
	}
	write(t, dir, map[string]string{"Cargo.toml": strings.NewReplacer("SDK", sdk, "FEATURES", features).Replace(cargoToml), "src/lib.rs": cargoGuest})
	return dir, func(files map[string]string) (build.Result, string, error) {
		write(t, dir, files)
		p, err := build.Find(dir, "", "")
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		r, err := p.Build(t.Context(), build.Options{Output: &said})
		return r, said.String(), err
	}
}

// TestCargo: a project with a Cargo.toml is built by cargo with the SDK as a crate, is the same
// module from any folder, asks for no second build, and stays when the sources are wrong.
func TestCargo(t *testing.T) {
	var digests []string
	for range 2 {
		dir, project := cargoProject(t, "")
		first, said, err := project(nil)
		if err != nil || !first.Changed || said != "" || !strings.HasPrefix(first.Toolchain, "cargo ") {
			t.Fatalf("%+v %v %s", first, err, said)
		}
		digests = append(digests, first.Digest)
		wasm, err := os.ReadFile(filepath.Join(dir, "plugins/fraud.wasm"))
		if err != nil || bytes.Contains(wasm, []byte(dir)) || bytes.Contains(wasm, []byte("/sdk/rust")) {
			t.Errorf("a path of this machine is in the module, or %v", err)
		}
		if again, _, err := project(nil); err != nil || again.Changed {
			t.Errorf("the same sources: %+v, %v", again, err)
		}
		_, said, err = project(map[string]string{"src/lib.rs": "#![no_std] fn handle() { undefined() }"})
		var refused *build.CompileError
		if !errors.As(err, &refused) || !strings.Contains(said, "src/lib.rs:1:") || strings.Contains(said, dir) {
			t.Errorf("wrong sources: %v, %s", err, said)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("two folders, two modules: %v", digests)
	}
}

// TestCargoWithStd: a guest that uses std builds with the SDK's feature.
func TestCargoWithStd(t *testing.T) {
	_, project := cargoProject(t, `"std"`)
	guest := "fn handle(ev: &avx::Event) -> avx::Outcome { avx::emit(b\"out\", ev.key, format!(\"{}\", ev.seq).as_bytes()) }\navx::subscriber!(handle);\n"
	if r, said, err := project(map[string]string{"src/lib.rs": guest}); err != nil || r.Bytes == 0 || said != "" {
		t.Errorf("%+v, %v, %s", r, err, said)
	}
}

// TestCargoRefused: what cannot become a module is refused with what to do.
func TestCargoRefused(t *testing.T) {
	const head = "[package]\nname = \"fraud\"\nversion = \"0.1.0\"\n"
	for _, c := range []struct{ name, toml, want string }{
		{"no module", head, "add to it [lib] with crate-type = [\"cdylib\"]"},
		{"a workspace", "[workspace]\nmembers = [\"m\"]\n", "is a workspace without a package of its own"},
		{"packages are missing", head + "[lib]\ncrate-type = [\"cdylib\"]\n[dependencies]\nno-such-package-here = \"9\"\n", "Run: cargo fetch --target wasm32-unknown-unknown"},
		{"no manifest", "[package", "the rust compiler refused the sources"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("CARGO_HOME", t.TempDir()) // nothing was fetched
			if home, err := os.UserHomeDir(); err == nil && os.Getenv("RUSTUP_HOME") == "" {
				t.Setenv("RUSTUP_HOME", filepath.Join(home, ".rustup"))
			}
			_, project := cargoProject(t, "")
			files := map[string]string{"Cargo.toml": c.toml, "m/Cargo.toml": strings.Replace(head, "fraud", "m", 1), "m/src/lib.rs": ""}
			if _, said, err := project(files); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s\n%s", err, c.want, said)
			}
		})
	}
}

// TestCargoAlone: a rustc without a cargo beside it says so; one that has it is taken.
func TestCargoAlone(t *testing.T) {
	bin, lib, project := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, bin, map[string]string{"rustc": "#!/bin/sh\necho " + lib + "\n"})
	write(t, lib, map[string]string{"libcore-1.rlib": ""})
	write(t, project, map[string]string{"Cargo.toml": "", "Cargo.lock": "", "src/lib.rs": "", "target/x.rs": ""})
	t.Setenv("PATH", bin)
	tools, err := build.Check(context.Background(), build.Rust, project)
	var missing *build.MissingError
	if err == nil && tools.Path == filepath.Join(bin, "rustc") || err != nil && !(errors.As(err, &missing) && strings.Contains(err.Error(), "there is no cargo beside ")) {
		t.Errorf("%+v, %v", tools, err)
	}
	write(t, bin, map[string]string{"cargo": "#!/bin/sh\necho cargo 1.65.0\n"})
	if tools, err := build.Check(context.Background(), build.Rust, project); err != nil || tools.Path != filepath.Join(bin, "rustc") || !strings.HasPrefix(tools.Version, "cargo 1.65.0, ") {
		t.Errorf("with cargo: %+v, %v", tools, err)
	}
	p, err := build.Find(project, "", "")
	if err != nil || p.Language != build.Rust {
		t.Fatalf("%+v, %v", p, err)
	}
	got, err := p.Sources()
	if want := []string{filepath.Join(project, "Cargo.toml"), filepath.Join(project, "src/lib.rs")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("sources: %v, %v", got, err)
	}
}

// TestCrates: the crates that are taken from other folders by path are sources, however they are
// named and through whichever crate; what is not there, or no crate, is not.
func TestCrates(t *testing.T) {
	top := t.TempDir()
	write(t, top, map[string]string{
		"ws/Cargo.toml":       "[workspace]\nmembers = [\"fraud\"]\n[workspace.dependencies]\nshared = { path = '../shared' }\n",
		"ws/fraud/Cargo.toml": "[package]\nname = \"fraud\"\n[lib]\npath = \"src/lib.rs\"\n[dependencies]\nshared = { workspace = true }\n# old = { path = \"../old\" }\n[dependencies.near]\nversion = \"1\"\npath=\"../near\"\n[dependencies.sdk]\npath = \"sdk\"\n",
		"ws/fraud/src/lib.rs": "", "ws/fraud/src/data/mod.rs": "", "ws/fraud/sdk/Cargo.toml": "", "ws/fraud/sdk/lib.rs": "", "ws/fraud/data/x.rs": "",
		"ws/near/Cargo.toml":   "[dependencies]\na = { path = \"../../deep/a\", features = [\"x\"] }\nb = { path = \"../../deep/absent\" }\nback = { path = \"../fraud\" }\n",
		"ws/near/src/lib.rs":   "",
		"ws/near/target/x.rs":  "",
		"ws/old/Cargo.toml":    "",
		"shared/Cargo.toml":    "",
		"shared/build.rs":      "",
		"shared/README.md":     "",
		"deep/a/Cargo.toml":    "",
		"deep/a/.git/x.rs":     "",
		"deep/a/src/inner.rs":  "",
		"deep/a/src/inner.txt": "",
		"deep/other/lib.rs":    "",
	})
	p := build.Project{Dir: filepath.Join(top, "ws/fraud"), Language: build.Rust}
	fromTop := func(paths []string) (out []string) {
		for _, path := range paths {
			short, _ := filepath.Rel(top, path)
			out = append(out, short)
		}
		return out
	}
	if got, want := fromTop(p.Crates()), []string{"deep/a", "shared", "ws/near"}; !slices.Equal(got, want) {
		t.Errorf("crates: %v, want %v", got, want)
	}
	sources, err := p.Sources()
	want := []string{
		"deep/a/Cargo.toml", "deep/a/src/inner.rs", "shared/Cargo.toml", "shared/build.rs", "ws/Cargo.toml",
		"ws/fraud/Cargo.toml", "ws/fraud/sdk/Cargo.toml", "ws/fraud/sdk/lib.rs", "ws/fraud/src/data/mod.rs", "ws/fraud/src/lib.rs",
		"ws/near/Cargo.toml", "ws/near/src/lib.rs",
	}
	if got := fromTop(sources); err != nil || !slices.Equal(got, want) {
		t.Errorf("sources: %v, %v, want\n%v", got, err, want)
	}
}

// TestCratesBounded: crates without end, here by a chain, are watched as far as one can be asked to.
func TestCratesBounded(t *testing.T) {
	top := t.TempDir()
	files := map[string]string{}
	for i := range 200 {
		files[fmt.Sprintf("c%d/Cargo.toml", i)] = fmt.Sprintf("next = { path = \"../c%d\" }\n", i+1)
	}
	write(t, top, files)
	p := build.Project{Dir: filepath.Join(top, "c0"), Language: build.Rust}
	if n := len(p.Crates()); n == 0 || n > 64 {
		t.Errorf("%d crates", n)
	}
}
