package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/nearest"
)

// Language is one for which there is a recipe.
type Language string

// The languages.
const (
	Go             Language = "go"
	Rust           Language = "rust"
	C              Language = "c" // and C++
	AssemblyScript Language = "assemblyscript"
)

// Languages lists them in the order in which they are shown.
func Languages() []Language { return []Language{Go, Rust, C, AssemblyScript} }

// otherNames are what people call the languages besides, too far in letters to be found by them.
var otherNames = map[string]Language{
	"golang": Go, "rs": Rust, "cargo": Rust, "c++": C, "cpp": C, "cc": C, "clang": C, "ts": AssemblyScript, "typescript": AssemblyScript, "as": AssemblyScript,
}

// CheckLanguage returns an error that says which language is meant by a name for which there
// is no recipe, or which there are.
func CheckLanguage(lang Language) error {
	if slices.Contains(Languages(), lang) {
		return nil
	}
	var names []string
	for _, l := range Languages() {
		names = append(names, string(l))
	}
	name := strings.ToLower(string(lang))
	hint := nearest.Hint(name, names...)
	if meant, ok := otherNames[name]; ok {
		hint = fmt.Sprintf("did you mean %q?", meant)
	}
	return fmt.Errorf("language %q is unknown; %s", lang, hint)
}

// Project is a folder with sources of one module.
type Project struct {
	Dir      string // absolute
	Language Language
	File     string // the module's file, absolute
	Manifest string // that names it, absolute; "" if none was found
}

// Name is the module's name: its file's without .wasm.
func (p Project) Name() string { return strings.TrimSuffix(filepath.Base(p.File), ".wasm") }

// Find looks at a folder. lang chooses where there are sources of several languages, "" if
// there is one. out is the module's file; "": the manifest in the folder or in the nearest one
// above says it, else it is plugins/<name of the folder>.wasm below the folder.
func Find(dir string, lang Language, out string) (Project, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return Project{}, err
	}
	p := Project{Dir: absolute}
	if p.Language, err = languageOf(dir, absolute, lang); err != nil {
		return p, err
	}
	if out != "" {
		p.File, err = filepath.Abs(out)
		return p, err
	}
	return p, p.place()
}

// languageOf finds the language of a folder's sources.
func languageOf(shown, dir string, want Language) (Language, error) {
	if want != "" {
		if err := CheckLanguage(want); err != nil {
			return "", err
		}
	}
	if info, err := os.Stat(dir); err != nil {
		return "", err
	} else if !info.IsDir() {
		return "", fmt.Errorf("%s is a file; name the folder of the project", shown)
	}
	var found []Language
	for _, lang := range Languages() {
		names, err := roots(dir, lang)
		if err != nil {
			return "", err
		}
		if len(names) > 0 {
			found = append(found, lang)
		}
	}
	switch {
	case slices.Contains(found, want):
		return want, nil
	case want != "":
		return "", fmt.Errorf("%s has no sources in %s; it should have %s", shown, want, rootNames[want])
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", fmt.Errorf("%s has sources in several languages (%s); choose by --lang", shown, list(found))
	}
	return "", fmt.Errorf("%s has no sources that avxrt can build; make a project by avxrt new NAME --lang LANGUAGE", shown)
}

func list(langs []Language) string {
	var out []string
	for _, l := range langs {
		out = append(out, string(l))
	}
	return strings.Join(out, ", ")
}

// rootNames says what makes a folder a project of a language.
var rootNames = map[Language]string{
	Go: "*.go", Rust: "main.rs or lib.rs, also in src/, or Cargo.toml", C: "*.c, *.cc or *.cpp, also in src/", AssemblyScript: "assembly/index.ts",
}

// roots returns the files, from dir, with which a compiler begins.
func roots(dir string, lang Language) ([]string, error) {
	var patterns []string
	switch lang {
	case Go:
		patterns = []string{"*.go"}
	case Rust:
		patterns = []string{"main.rs", "lib.rs", "src/main.rs", "src/lib.rs"}
		if isCargo(dir) {
			patterns = []string{cargoFile}
		}
	case C:
		patterns = []string{"*.c", "*.cc", "*.cpp", "src/*.c", "src/*.cc", "src/*.cpp"}
	case AssemblyScript:
		patterns = []string{"assembly/index.ts"}
	}
	var out []string
	system := os.DirFS(dir)
	for _, pattern := range patterns {
		names, err := fs.Glob(system, pattern)
		if err != nil {
			return nil, err
		}
		out = append(out, names...)
	}
	return slices.DeleteFunc(out, isTest), nil
}

// isTest says whether a file is of tests that run outside of a node: x_test.go, x_test.c and
// so on. They may use what a module has not, the C library say.
func isTest(name string) bool {
	ext := filepath.Ext(name)
	return strings.HasSuffix(strings.TrimSuffix(name, ext), "_test") && slices.Contains([]string{".go", ".c", ".cc", ".cpp"}, ext)
}

// manifestName is the manifest's file.
const manifestName = "avxrt.toml"

// place finds the module's file.
func (p *Project) place() error {
	name := filepath.Base(p.Dir)
	p.File = filepath.Join(p.Dir, "plugins", name+".wasm")
	for dir := p.Dir; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, manifestName)
		if _, err := os.Stat(path); err == nil {
			m, err := manifest.Load(path, nil)
			if err != nil {
				return err
			}
			p.Manifest = path
			p.File = filepath.Join(m.Plugins.Dir, name+".wasm")
			if dir == p.Dir && oneModule(m) {
				p.File = m.File(&m.Subscribers[0])
			}
			return nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if filepath.Dir(dir) == dir {
			return nil
		}
	}
}

// oneModule says whether all subscribers run the same module, which may be several.
func oneModule(m *manifest.Manifest) bool {
	for _, s := range m.Subscribers {
		if s.Module != m.Subscribers[0].Module {
			return false
		}
	}
	return len(m.Subscribers) > 0
}

// sourceNames are the files of a language that matter to a build. Cargo.lock is not among
// them: the first build writes it, and would ask for another.
var sourceNames = map[Language][]string{
	Go:             {"*.go", "go.mod", "go.sum"},
	Rust:           {"*.rs", cargoFile},
	C:              {"*.c", "*.h", "*.cc", "*.cpp", "*.hpp"},
	AssemblyScript: {"*.ts", "asconfig.json", "package.json"},
}

// notSources are folders that hold what tools made, or what is not a part of the project. The
// second ones are that at its top alone: src/data may be a package.
var (
	notSources      = []string{"node_modules", "target"}
	notSourcesAtTop = []string{"plugins", "data", "build"}
)

// installed is what npm writes when the packages are there: a compiler that came, or another
// version of it, asks for a build as a source does.
const installed = "node_modules/.package-lock.json"

// Sources returns the paths of the files whose change asks for a build, sorted. Hidden
// folders, those of tools and the module's own, and tests (x_test.go, x_test.c) are left out.
// Those of the crates that cargo takes from [Project.Crates] are among them.
func (p Project) Sources() ([]string, error) {
	out, err := sourcesBelow(p.Dir, p.Language, nil)
	if path := filepath.Join(p.Dir, installed); p.Language == AssemblyScript && exists(path) {
		out = append(out, path)
	}
	left := maxCrateFiles
	for _, dir := range p.Crates() {
		more, _ := sourcesBelow(dir, p.Language, &left) // one that went away in between is missed by the build
		out = append(out, more...)
	}
	if p.Language == Rust && isCargo(p.Dir) {
		if root, _ := workspaceOf(p.Dir); root != "" { // its profile and its versions hold for the project
			out = append(out, filepath.Join(root, cargoFile))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), err
}

// sourcesBelow finds the sources of a language below a folder. left is how many files and folders
// it may still look at; nil: all.
func sourcesBelow(top string, lang Language, left *int) (out []string, err error) {
	err = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if left != nil {
			if *left--; *left < 0 {
				return fs.SkipAll
			}
		}
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != top && isNoSource(d.Name(), filepath.Dir(path) == top):
			return fs.SkipDir
		case !d.Type().IsRegular() || isTest(d.Name()):
			return nil
		}
		for _, pattern := range sourceNames[lang] {
			if ok, _ := filepath.Match(pattern, d.Name()); ok {
				out = append(out, path)
			}
		}
		return nil
	})
	return out, err
}

func isNoSource(folder string, atTop bool) bool {
	return strings.HasPrefix(folder, ".") || slices.Contains(notSources, folder) || atTop && slices.Contains(notSourcesAtTop, folder)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
