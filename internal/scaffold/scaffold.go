package scaffold

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/avx-platform/avxrt/internal/build"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/reference"
	"github.com/avx-platform/avxrt/sdk"
)

//go:embed all:templates
var templates embed.FS

const suffix = ".tmpl"

// recipe is what a language's project is made of.
type recipe struct {
	folders []string          // of templates, besides the common ones
	root    string            // the handler's file
	head    string            // how it begins, in Rust
	sdk     string            // where the SDK is
	files   map[string]string // of the SDK's package, by their place in the project
	prepare string            // what is to be done once before the first build
}

var recipes = map[build.Language]recipe{
	build.Go: {folders: []string{"go"}, root: "main.go", sdk: "sdk/"},
	build.Rust: {
		folders: []string{"rust"}, root: "main.rs", head: "#![no_std]\n#![no_main]\nmod avx;", sdk: "avx.rs",
		files: map[string]string{"avx.rs": "rust/avx.rs"},
	},
	build.C: {folders: []string{"c"}, root: "main.c", sdk: "avx.h", files: map[string]string{"avx.h": "c/avx.h", "avx_fake.h": "c/avx_fake.h"}},
	build.AssemblyScript: {
		folders: []string{"assemblyscript"}, root: "assembly/index.ts", sdk: "assembly/avx.ts", prepare: "npm install",
		files: map[string]string{"assembly/avx.ts": "assemblyscript/avx.ts", lock: "assemblyscript/package-lock.json"},
	},
}

// cargoRecipe is that of Rust with a Cargo.toml, for projects that need crates or more files.
var cargoRecipe = recipe{
	folders: []string{"rust", "cargo"}, root: "src/lib.rs", head: `#![cfg_attr(target_arch = "wasm32", no_std)]`, sdk: "sdk/",
	files: map[string]string{"sdk/Cargo.toml": "rust/Cargo.toml", "sdk/lib.rs": "rust/lib.rs", "sdk/avx.rs": "rust/avx.rs"},
}

// Options choose between projects of a language.
type Options struct {
	// Cargo makes a project of cargo, for Rust alone, with the SDK as a crate in it. Default: one
	// file beside the SDK's, for rustc.
	Cargo bool
}

// Project is what New made.
type Project struct {
	Dir     string   // as it was named
	Files   []string // from Dir, sorted
	Prepare string   // a command to be run once before the first build; "": none
}

// New makes a project in the folder name of dir. The name becomes that of the subscriber and
// its module.
func New(dir, name string, lang build.Language, opts Options) (Project, error) {
	if err := build.CheckLanguage(lang); err != nil {
		return Project{}, err
	}
	if err := manifest.CheckName(name); err != nil {
		return Project{}, err
	}
	r := recipes[lang]
	switch {
	case !opts.Cargo:
	case lang != build.Rust:
		return Project{}, fmt.Errorf("cargo builds Rust, not %s", lang)
	case name == "avx":
		return Project{}, errors.New(`"avx" is the name of the SDK's crate; choose another`)
	case name[0] < 'a' || name[0] > 'z':
		return Project{}, fmt.Errorf("%q is no name for a crate; let it begin with a letter", name)
	default:
		r = cargoRecipe
	}
	files, err := r.all(name, lang)
	if err != nil {
		return Project{}, err
	}
	p := Project{Dir: filepath.Join(dir, name), Prepare: r.prepare}
	if err := write(p.Dir, files); err != nil {
		var disk *fs.PathError
		if errors.As(err, &disk) { // it names a folder that is gone again
			return p, fmt.Errorf("%s was not made: %w", p.Dir, err)
		}
		return p, err
	}
	for file := range files {
		p.Files = append(p.Files, file)
	}
	slices.Sort(p.Files)
	return p, nil
}

// all returns the files of a project, by their place in it.
func (r recipe) all(name string, lang build.Language) (map[string][]byte, error) {
	files := map[string][]byte{}
	version, err := compilerOfAssemblyScript()
	if err != nil {
		return nil, err
	}
	prepare := ""
	if r.prepare != "" {
		prepare = r.prepare + "\n"
	}
	fill := strings.NewReplacer("@NAME@", name, "@ROOT@", r.root, "@HEAD@", r.head, "@SDK@", r.sdk, "@PREPARE@", prepare, "@ASSEMBLYSCRIPT@", version)
	for _, folder := range append([]string{"common"}, r.folders...) {
		top := "templates/" + folder
		err := fs.WalkDir(templates, top, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := templates.ReadFile(file)
			place := strings.TrimSuffix(strings.TrimPrefix(file, top+"/"), suffix)
			files[fill.Replace(place)] = []byte(fill.Replace(string(text)))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if files[schema], err = reference.Schema(); err != nil {
		return nil, err
	}
	for place, file := range r.files {
		if files[place], err = sdk.FS.ReadFile(file); err != nil {
			return nil, err
		}
	}
	switch lang {
	case build.Go:
		return files, goSDK(files)
	case build.AssemblyScript: // the lock of the SDK's own package is that of a project, but for the name
		files[lock] = bytes.ReplaceAll(files[lock], []byte(`"avxrt-assemblyscript"`), []byte(`"`+name+`"`))
	}
	return files, nil
}

// schema is what the first line of the manifest names: editors check and complete by it.
const schema = "avxrt.schema.json"

// lock pins the packages that npm installs, with their digests.
const lock = "package-lock.json"

// goSDK adds the package, without its tests, as a module of its own.
func goSDK(files map[string][]byte) error {
	names, err := fs.Glob(sdk.FS, "go/*.go")
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if files["sdk/"+path.Base(name)], err = sdk.FS.ReadFile(name); err != nil {
			return err
		}
	}
	files["sdk/go.mod"] = []byte("module github.com/avx-platform/avxrt/sdk/go\n\ngo 1.24\n")
	return nil
}

// compilerOfAssemblyScript is the version that the SDK is tested with.
func compilerOfAssemblyScript() (string, error) {
	text, err := sdk.FS.ReadFile("assemblyscript/package.json")
	if err != nil {
		return "", err
	}
	var in struct {
		DevDependencies struct{ AssemblyScript string }
	}
	err = json.Unmarshal(text, &in)
	return in.DevDependencies.AssemblyScript, err
}

// write makes the folder with the files, by rename once all of them are there.
func write(dir string, files map[string][]byte) (err error) {
	exists := fmt.Errorf("%s is there already; choose another name, or remove it", dir)
	if _, err := os.Lstat(dir); err == nil {
		return exists
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	made, err := os.MkdirTemp(filepath.Dir(dir), ".new-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made) // it is gone after the rename
	for place, text := range files {
		file := filepath.Join(made, filepath.FromSlash(place))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(made, "plugins"), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Chmod(made, 0o755); err != nil {
		return err
	}
	if _, err := os.Lstat(dir); err == nil {
		return exists
	}
	return os.Rename(made, dir)
}
