package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cargoFile makes a folder a project of cargo.
const cargoFile = "Cargo.toml"

func isCargo(dir string) bool { return dir != "" && exists(filepath.Join(dir, cargoFile)) }

// crates is as much as is read of cargo's metadata: what the build needs.
type crates struct {
	Root string  `json:"workspace_root"`
	All  []crate `json:"packages"`
}

type crate struct {
	Name     string
	Manifest string `json:"manifest_path"`
	Targets  []struct {
		Kinds []string `json:"kind"`
	}
}

// cdylib is the type of crate that becomes a module.
const cdylib = "cdylib"

func (c *crate) isModule() bool {
	for _, t := range c.Targets {
		if slices.Contains(t.Kinds, cdylib) {
			return true
		}
	}
	return false
}

// cargo builds the project's crate and copies its module to out. Packages are taken from where
// cargo keeps them, and never downloaded.
func (p Project) cargo(ctx context.Context, tools Toolchain, out string, opts Options) error {
	in, err := p.crates(ctx, tools, opts.Output)
	if err != nil {
		return err
	}
	own := slices.IndexFunc(in.All, func(c crate) bool { return c.Manifest == filepath.Join(p.Dir, cargoFile) })
	switch {
	case own < 0:
		return fmt.Errorf("%s is a workspace without a package of its own; name the folder of the package that is the subscriber", filepath.Join(p.Dir, cargoFile))
	case !in.All[own].isModule():
		return fmt.Errorf("%s makes no module; add to it [lib] with crate-type = [%q], and put the handler into src/lib.rs", filepath.Join(p.Dir, cargoFile), cdylib)
	}
	var said bytes.Buffer // about what was built, a line of JSON each; what is for people goes to Output
	cmd := p.cargoCommand(ctx, tools, p.cargoSettings(in, opts.Release), "build", "--quiet", "--release", "--lib", "--target", rustTarget, "--message-format", "json-render-diagnostics")
	cmd.Stdout, cmd.Stderr = &said, opts.Output
	if err := p.run(ctx, cmd); err != nil {
		return err
	}
	made := moduleOf(said.Bytes())
	if made == "" {
		return errors.New("cargo made no module; it should have said which file it is")
	}
	wasm, err := os.ReadFile(made)
	if err != nil {
		return err
	}
	return os.WriteFile(out, wasm, 0o644)
}

// crates asks cargo which packages the build needs. Where one of them is not here, the error
// is a [*MissingError].
func (p Project) crates(ctx context.Context, tools Toolchain, output io.Writer) (in crates, err error) {
	var said, about bytes.Buffer
	cmd := p.cargoCommand(ctx, tools, nil, "metadata", "--format-version", "1", "--filter-platform", rustTarget)
	cmd.Stdout, cmd.Stderr = &about, &said
	if err := p.run(ctx, cmd); err != nil {
		if ctx.Err() != nil {
			return in, err
		}
		_, _ = output.Write(said.Bytes()) // the error says that it failed
		if strings.Contains(said.String(), "--offline") || strings.Contains(said.String(), "offline mode") {
			return in, &MissingError{Rust, "packages that Cargo.toml names are not here, and nothing is downloaded by itself", fetch, fetch}
		}
		return in, err
	}
	return in, json.Unmarshal(about.Bytes(), &in)
}

// fetch is what gets the packages of a project, once.
const fetch = "cargo fetch --target " + rustTarget

// cargoCommand runs cargo in the project's folder, with the rustc that has the target.
func (p Project) cargoCommand(ctx context.Context, tools Toolchain, settings []string, verb string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, tools.helper, slices.Concat([]string{verb, "--offline"}, args, settings)...)
	cmd.Dir, cmd.WaitDelay = p.Dir, 2*time.Second
	cmd.Env = append(os.Environ(), "RUSTC="+tools.Path, "PWD="+p.Dir)
	return cmd
}

// cargoSettings go over those of the project: lines or none, and names instead of the paths of
// this machine. The rest of the profile is the author's.
func (p Project) cargoSettings(in crates, release bool) []string {
	flags := []string{"--remap-path-prefix", in.Root + "=."} // the last one that fits holds
	for _, c := range in.All {
		name := c.Name
		if filepath.Dir(c.Manifest) == p.Dir {
			name = "."
		}
		flags = append(flags, "--remap-path-prefix", filepath.Dir(c.Manifest)+"="+name)
	}
	text, _ := json.Marshal(flags) // strings in a list are the same in TOML
	settings := []string{"--config", "build.rustflags=" + string(text)}
	if release {
		return append(settings, "--config", `profile.release.strip="symbols"`)
	}
	return append(settings, "--config", "profile.release.debug=1", "--config", "profile.release.strip=false")
}

// moduleOf finds the module among what cargo says it made. The project's own comes last,
// behind those of packages that it needs.
func moduleOf(said []byte) (path string) {
	for line := range bytes.Lines(said) {
		var made struct {
			Reason    string
			Target    struct{ Kind []string }
			Filenames []string
		}
		if json.Unmarshal(line, &made) != nil || made.Reason != "compiler-artifact" || !slices.Contains(made.Target.Kind, cdylib) {
			continue
		}
		for _, name := range made.Filenames {
			if filepath.Ext(name) == ".wasm" {
				path = name
			}
		}
	}
	return path
}
