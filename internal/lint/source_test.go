package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/avx-platform/avxrt/"

// file is one Go file of the tree.
type file struct {
	path string // from the root, with slashes
	dir  string
	test bool
	ast  *ast.File
}

var fset = token.NewFileSet()

// parse reads one source; the table tests use it with sources of their own.
func parse(t *testing.T, name, source string) file {
	t.Helper()
	var src any
	if source != "" {
		src = source
	}
	f, err := parser.ParseFile(fset, name, src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	p := strings.TrimPrefix(filepath.ToSlash(name), "../../")
	return file{path: p, dir: path.Dir(p), test: strings.HasSuffix(p, "_test.go"), ast: f}
}

// tree reads every Go file of the module.
func tree(t *testing.T) []file {
	t.Helper()
	var files []file
	err := filepath.WalkDir("../..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2 || d.Name() == "peers") {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(p, ".go") {
			files = append(files, parse(t, p, ""))
		}
		return nil
	})
	if err != nil || len(files) < 50 {
		t.Fatalf("read %d files: %v", len(files), err)
	}
	return files
}

// imports returns the imported paths and their names ("" without alias).
func (f file) imports() map[string]string {
	out := map[string]string{}
	for _, i := range f.ast.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		name := ""
		if i.Name != nil {
			name = i.Name.Name
		}
		out[p] = name
	}
	return out
}
