package build

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Cargo is not asked which crates a build needs: it takes longer than a look for changes may, and
// refuses to say anything while a Cargo.toml is half written. A path that is named and not used
// costs a look too many.
var (
	cratePath = regexp.MustCompile(`\bpath\s*=\s*(?:"([^"]+)"|'([^']+)')`)
	workspace = regexp.MustCompile(`(?m)^\s*\[\s*workspace\b`)
)

// Bounds of what is watched besides the project's own folder: more than people write by hand,
// and few enough to be looked at every other second.
const (
	maxCrates     = 64
	maxCrateFiles = 20_000 // of all of them, folders too; what comes after is not watched
)

// Crates returns the folders outside of the project's from which its Cargo.toml, or that of its
// workspace, takes crates by path, and theirs in turn, sorted; none for what is no project of cargo.
func (p Project) Crates() []string {
	if p.Language != Rust || !isCargo(p.Dir) {
		return nil
	}
	found := []string{p.Dir}
	for i := 0; i < len(found) && len(found) <= maxCrates; i++ {
		for _, dir := range pathsOf(found[i]) {
			if !slices.Contains(found, dir) && isCargo(dir) {
				found = append(found, dir)
			}
		}
	}
	found = slices.DeleteFunc(found, func(dir string) bool { return dir == p.Dir || strings.HasPrefix(dir, p.Dir+string(filepath.Separator)) })
	slices.Sort(found)
	return found[:min(len(found), maxCrates)]
}

// pathsOf returns the paths that the Cargo.toml of a folder names, and those that its workspace
// names for its members.
func pathsOf(dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, cargoFile))
	if err != nil {
		return nil // the build will say so
	}
	out := named(dir, string(text))
	if root, text := workspaceOf(dir); root != "" {
		out = append(out, named(root, text)...)
	}
	return out
}

// workspaceOf finds the folder above whose Cargo.toml makes the workspace of a crate; "" if it has
// none, or is the root of its own.
func workspaceOf(dir string) (root, text string) {
	for at := dir; ; at = filepath.Dir(at) {
		text, err := os.ReadFile(filepath.Join(at, cargoFile))
		switch {
		case err == nil && workspace.Match(text) && at == dir, at == filepath.Dir(at):
			return "", ""
		case err == nil && workspace.Match(text):
			return at, string(text)
		}
	}
}

// named returns the paths in the text of a Cargo.toml, from its folder.
func named(dir, text string) (out []string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, m := range cratePath.FindAllStringSubmatch(line, -1) {
			path := filepath.FromSlash(m[1] + m[2])
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			out = append(out, filepath.Clean(path))
		}
	}
	return out
}
