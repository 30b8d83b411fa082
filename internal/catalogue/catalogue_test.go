package catalogue_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/catalogue"
)

func ExampleFind() {
	e, ok := catalogue.Find("denied")
	fmt.Println(ok, e.Code, e.Title)
	// Output: true AVX3024 The guest has no grant for the topic
}

const root = "../.."

// parse reads the files of a folder, tests excepted.
func parse(t *testing.T, dir string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s has no source: %v", dir, err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

var code = regexp.MustCompile(`\bAVX[0-9]{2,}\b`) // "AVX1…" tells of a range

// codesInSource returns where codes stand in the Go source outside of tests and this package.
func codesInSource(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "catalogue" || len(d.Name()) > 2 && d.Name()[0] == '.'):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			if comment := strings.Index(line, "//"); comment >= 0 {
				line = line[:comment] // an example in a comment is no use
			}
			for _, c := range code.FindAllString(line, -1) {
				found[c] = path
			}
		}
		return err
	})
	if err != nil || len(found) == 0 {
		t.Fatalf("found %d codes: %v", len(found), err)
	}
	return found
}

// trapKinds returns the words of package sandbox's TrapKinds.
func trapKinds(t *testing.T) (words []string) {
	for _, f := range parse(t, "internal/sandbox") {
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				if id, ok := v.Type.(*ast.Ident); ok && id.Name == "TrapKind" {
					words = append(words, text(v.Values[0]))
				}
			}
			return true
		})
	}
	return words
}

// letterReasons returns the reasons that package delivery gives events up for.
func letterReasons(t *testing.T) (words []string) {
	for _, f := range parse(t, "internal/delivery") {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if fn, ok := call.Fun.(*ast.SelectorExpr); ok && (fn.Sel.Name == "poison" || fn.Sel.Name == "later") {
				if word := text(call.Args[len(call.Args)-1]); word != "" {
					words = append(words, word)
				}
			}
			return true
		})
	}
	return words
}

// statuses returns the names of what host functions answer, and how many constants there are.
func statuses(t *testing.T) (words []string) {
	number := 0
	for _, f := range parse(t, "abi") {
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				if id, ok := v.Type.(*ast.Ident); ok && id.Name == "Status" {
					number++
				}
			}
			return true
		})
	}
	for s := abi.Status(-1); s.String() != strconv.Itoa(int(s)); s-- {
		words = append(words, s.String())
	}
	if number != len(words) {
		t.Errorf("package abi has %d Statuses, %d have a name", number, len(words))
	}
	return words
}

// text is the value of a string literal, "" of anything else.
func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return s
}

// TestComplete: what is in use is explained, and what is explained is in use.
func TestComplete(t *testing.T) {
	used, words := codesInSource(t), slices.Concat(trapKinds(t), letterReasons(t), statuses(t))
	if len(trapKinds(t)) < 5 || len(letterReasons(t)) < 5 || len(statuses(t)) < 5 {
		t.Fatalf("the source is not read as it was: %q", words)
	}
	for c, path := range used {
		if _, ok := catalogue.Find(c); !ok {
			t.Errorf("%s is in use in %s, and not in the catalogue", c, path)
		}
	}
	for _, w := range words {
		if _, ok := catalogue.Find(w); !ok {
			t.Errorf("%q is in use, and not in the catalogue", w)
		}
	}
	for _, e := range catalogue.All() {
		if used[e.Code] == "" && !slices.Contains(words, e.Word) {
			t.Errorf("%s (%s) is in the catalogue, and nobody uses it", e.Code, e.Word)
		}
	}
}

// TestTitles: a problem document says the same as the catalogue.
func TestTitles(t *testing.T) {
	kinds := 0
	for _, f := range parse(t, "internal/httpapi") {
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if id, ok := lit.Type.(*ast.Ident); !ok || id.Name != "kind" || len(lit.Elts) != 3 {
				return true
			}
			kinds++
			c, title := text(lit.Elts[1]), text(lit.Elts[2])
			if e, _ := catalogue.Find(c); e.Title != title {
				t.Errorf("%s is %q in package httpapi, %q in the catalogue", c, title, e.Title)
			}
			return true
		})
	}
	if kinds < 19 {
		t.Errorf("read %d kinds of problems", kinds)
	}
}

// TestEntries: each entry is whole, in its place, and found by what names it alone.
func TestEntries(t *testing.T) {
	last := ""
	seen := map[string]bool{}
	for _, e := range catalogue.All() {
		if e.Code <= last || !regexp.MustCompile(`^AVX[0-9]{4}$`).MatchString(e.Code) {
			t.Errorf("%s after %s", e.Code, last)
		}
		last = e.Code
		if e.Title == "" || !strings.HasSuffix(e.Means, ".") || !strings.HasSuffix(e.Do, ".") {
			t.Errorf("%s is not whole: %+v", e.Code, e)
		}
		for _, name := range []string{e.Code, strings.ToLower(e.Code), e.Code[3:], e.Word} {
			if name == "" {
				continue
			}
			if got, ok := catalogue.Find(name); !ok || got.Code != e.Code || seen[name] {
				t.Errorf("%q finds %s", name, got.Code)
			}
			seen[name] = true
		}
	}
	for _, bad := range []string{"", "AVX", "AVX9999", "0", strings.Repeat("AVX", 1000)} {
		if e, ok := catalogue.Find(bad); ok {
			t.Errorf("%.10q finds %s", bad, e.Code)
		}
	}
}
