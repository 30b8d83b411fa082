package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MissingError says which tool of a language is missing and how to get it.
type MissingError struct {
	Language Language
	Reason   string
	Debian   string // command
	Brew     string // command
}

// Error gives reason and remedy on one line.
func (e *MissingError) Error() string {
	if e.Debian == e.Brew {
		return fmt.Sprintf("%s: %s. Run: %s", e.Language, e.Reason, e.Debian)
	}
	return fmt.Sprintf("%s: %s. Debian: %s. Homebrew: %s", e.Language, e.Reason, e.Debian, e.Brew)
}

// Toolchain is what Check found.
type Toolchain struct {
	Path    string // of the compiler
	Version string // as it calls itself
	helper  string // what it needs besides: wasm-ld for C, asc.js for AssemblyScript, cargo for a project of it
}

// lookFor is how long a tool may take to say its version.
const lookFor = 20 * time.Second

// Check finds the tools of a language. dir is the project's folder, where AssemblyScript's
// compiler is; "" looks for what is not in a project. The error is a [*MissingError].
func Check(ctx context.Context, lang Language, dir string) (Toolchain, error) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	switch lang {
	case Go:
		return checkGo(ctx)
	case Rust:
		return checkRust(ctx, isCargo(dir))
	case C:
		return checkC(ctx)
	case AssemblyScript:
		return checkAssemblyScript(ctx, dir)
	}
	return Toolchain{}, CheckLanguage(lang)
}

// ask runs a tool and returns the first line of what it says.
func ask(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line, err
}

var goVersion = regexp.MustCompile(`go1\.(\d+)`)

// minGo is the first minor version with -buildmode=c-shared for wasip1.
const minGo = 24

func checkGo(ctx context.Context) (Toolchain, error) {
	missing := func(format string, args ...any) error {
		return &MissingError{Go, fmt.Sprintf(format, args...), "see https://go.dev/dl (apt's may be too old)", "brew install go"}
	}
	path, err := exec.LookPath("go")
	if err != nil {
		return Toolchain{}, missing("go is not on PATH")
	}
	version, err := ask(ctx, path, "version")
	if err != nil {
		return Toolchain{}, missing("%s does not run: %v", path, err)
	}
	m := goVersion.FindStringSubmatch(version)
	if m == nil {
		return Toolchain{}, missing("%s does not say its version but %q", path, version)
	}
	if minor, _ := strconv.Atoi(m[1]); minor < minGo {
		return Toolchain{}, missing("%s is Go 1.%d, modules need 1.%d or later", path, minor, minGo)
	}
	return Toolchain{Path: path, Version: strings.TrimPrefix(version, "go version ")}, nil
}

const rustTarget = "wasm32-unknown-unknown"

// checkRust takes the first rustc that has the target: the one on PATH may not. Where cargo is
// needed, it must be beside it: a newer cargo asks of rustc what an older one does not know.
func checkRust(ctx context.Context, needsCargo bool) (Toolchain, error) {
	var seen []string
	alone := ""
	for _, path := range candidates([]string{"rustc"}, "/usr/bin/rustc", "/opt/homebrew/opt/rustup/bin/rustc", "/usr/local/opt/rustup/bin/rustc") {
		dir, err := ask(ctx, path, "--target", rustTarget, "--print", "target-libdir")
		if err != nil {
			continue
		}
		seen = append(seen, path)
		if cores, _ := filepath.Glob(filepath.Join(dir, "libcore*.rlib")); len(cores) == 0 {
			continue
		}
		version, err := ask(ctx, path, "--version")
		if err != nil || !needsCargo {
			return Toolchain{Path: path, Version: version}, err
		}
		cargo := filepath.Join(filepath.Dir(path), "cargo")
		if !exists(cargo) {
			alone = path
			continue
		}
		with, err := ask(ctx, cargo, "--version")
		return Toolchain{Path: path, Version: with + ", " + version, helper: cargo}, err
	}
	if alone != "" {
		return Toolchain{}, &MissingError{
			Rust, "the project has a " + cargoFile + ", and there is no cargo beside " + alone, "apt-get install cargo", "brew install rustup && rustup default stable",
		}
	}
	reason := "rustc is not on PATH"
	if len(seen) > 0 {
		reason = strings.Join(seen, " and ") + " cannot build for " + rustTarget
	}
	return Toolchain{}, &MissingError{
		Rust, reason, "apt-get install rustc libstd-rust-dev-wasm32 (with rustup: rustup target add " + rustTarget + ")",
		"brew install rustup && rustup default stable && rustup target add " + rustTarget,
	}
}

// checkC takes the first clang that knows wasm32, which Apple's does not, with a wasm-ld.
func checkC(ctx context.Context) (Toolchain, error) {
	reason := "clang is not on PATH"
	for _, path := range candidates(versions("clang"), "/opt/homebrew/opt/llvm/bin/clang", "/usr/local/opt/llvm/bin/clang") {
		out, err := exec.CommandContext(ctx, path, "--print-targets").Output()
		if err != nil || !strings.Contains(string(out), "wasm32") {
			reason = path + " cannot build for wasm32"
			continue
		}
		version, err := ask(ctx, path, "--version")
		if err != nil {
			continue
		}
		resolved, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue
		}
		linkers := candidates(versions("wasm-ld"), filepath.Join(filepath.Dir(resolved), "wasm-ld"), "/opt/homebrew/opt/lld/bin/wasm-ld", "/usr/local/opt/lld/bin/wasm-ld")
		if len(linkers) > 0 {
			return Toolchain{Path: path, Version: version, helper: linkers[0]}, nil
		}
		reason = "wasm-ld, the linker, is not on PATH"
		break
	}
	return Toolchain{}, &MissingError{C, reason, "apt-get install clang lld", "brew install llvm lld"}
}

// versions are a tool's name and those that Debian gives to its versions.
func versions(tool string) []string {
	out := []string{tool}
	for v := 24; v >= 14; v-- {
		out = append(out, fmt.Sprintf("%s-%d", tool, v))
	}
	return out
}

// candidates are the tools on PATH by these names, then those of the paths that exist.
func candidates(names []string, paths ...string) []string {
	var out []string
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			out = append(out, path)
		}
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	return out
}

var nodeVersion = regexp.MustCompile(`^v(\d+)\.`)

// minNode is the first major version that AssemblyScript's compiler runs on.
const minNode = 20

func checkAssemblyScript(ctx context.Context, dir string) (Toolchain, error) {
	missing := func(debian, brew, format string, args ...any) error {
		return &MissingError{AssemblyScript, fmt.Sprintf(format, args...), debian, brew}
	}
	const debian, brew = "apt-get install nodejs npm (Debian 13 or later; else see https://nodejs.org)", "brew install node"
	node, err := exec.LookPath("node")
	if err != nil {
		return Toolchain{}, missing(debian, brew, "node is not on PATH")
	}
	version, err := ask(ctx, node, "--version")
	if err != nil {
		return Toolchain{}, missing(debian, brew, "%s does not run: %v", node, err)
	}
	m := nodeVersion.FindStringSubmatch(version)
	if m == nil {
		return Toolchain{}, missing(debian, brew, "%s does not say its version but %q", node, version)
	}
	if major, _ := strconv.Atoi(m[1]); major < minNode {
		return Toolchain{}, missing(debian, brew, "%s is Node %d, the AssemblyScript compiler needs %d or later", node, major, minNode)
	}
	if dir == "" {
		return Toolchain{Path: node, Version: "node " + version}, nil
	}
	asc := filepath.Join(dir, "node_modules", "assemblyscript")
	text, err := os.ReadFile(filepath.Join(asc, "package.json"))
	if errors.Is(err, os.ErrNotExist) {
		return Toolchain{}, missing("npm install", "npm install", "the compiler is not in the project's node_modules")
	}
	var about struct{ Version string }
	if err == nil {
		err = json.Unmarshal(text, &about)
	}
	return Toolchain{Path: node, Version: "asc " + about.Version + ", node " + version, helper: filepath.Join(asc, "bin", "asc.js")}, err
}
