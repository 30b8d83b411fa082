package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// guests are subscribers in Go: the SDK takes their handler in an init.
var guests = map[string]bool{"abi/abitest/goguest": true, "bench/guests/langgo": true, "plugins/email": true, "examples/06-retry/convert": true, "examples/10-languages/go": true, "examples/09-swap/totals": true}

// Budgets of the house.
const (
	maxFunctionLines = 70
	maxFileLines     = 800
)

// longFunctions may be longer, with the reason.
var longFunctions = map[string]string{
	"cmd/avxrt serve": "the linear composition of a node",
}

// panics are where a broken invariant of ours, never input, ends the process; and where
// the engine wants a host function to stop a guest.
var panics = map[string]int{
	"abi/frame.go": 1, "log/sequencer.go": 1, "internal/sandbox/host.go": 1, "internal/shop/generate.go": 1,
}

func shapeProblems(f file) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, f.path+": "+fmt.Sprintf(format, args...)) }
	if lines := fset.Position(f.ast.End()).Line; lines > maxFileLines {
		add("%d lines, at most %d: split it by noun", lines, maxFileLines)
	}
	calls := 0
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			lines := fset.Position(n.End()).Line - fset.Position(n.Pos()).Line + 1
			if lines > maxFunctionLines && longFunctions[f.dir+" "+n.Name.Name] == "" {
				add("%s has %d lines, at most %d: split it", n.Name.Name, lines, maxFunctionLines)
			}
			if n.Name.Name == "init" && !guests[f.dir] && !f.test {
				add("has an init: set things up where they are used")
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "panic" {
				calls++
			}
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" && (sel.Sel.Name == "Getenv" || sel.Sel.Name == "LookupEnv") && f.dir != "cmd/avxrt" && f.dir != "internal/fault" && !f.test {
					add("reads the environment: cmd alone does")
				}
			}
		case *ast.Ident:
			if (n.Name == "log" || n.Name == "runtime") && n.Obj != nil && n.Obj.Kind == ast.Var {
				add("a variable is called %s, which is a package: call it logger, l or r", n.Name)
			}
		}
		return true
	})
	if calls > panics[f.path] && !f.test {
		add("%d panics, %d are allowed: return an error", calls, panics[f.path])
	}
	if !f.test {
		out = append(out, undocumented(f)...)
	}
	return out
}

// undocumented finds exported names without a comment.
func undocumented(f file) []string {
	var out []string
	miss := func(doc *ast.CommentGroup, pos token.Pos, name string) {
		if doc == nil && ast.IsExported(name) {
			out = append(out, fmt.Sprintf("%s:%d: %s is exported and not documented", f.path, fset.Position(pos).Line, name))
		}
	}
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || ast.IsExported(receiver(d)) {
				miss(d.Doc, d.Pos(), d.Name.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					if d.Doc == nil {
						miss(s.Doc, s.Pos(), s.Name.Name)
					}
				case *ast.ValueSpec:
					if d.Doc == nil && s.Comment == nil {
						miss(s.Doc, s.Pos(), s.Names[0].Name)
					}
				}
			}
		}
	}
	return out
}

func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func TestShape(t *testing.T) {
	for _, f := range tree(t) {
		for _, p := range shapeProblems(f) {
			t.Error(p)
		}
	}
}

// TestShapeCanFail shows each rule a source that breaks it.
func TestShapeCanFail(t *testing.T) {
	long := "package log\nfunc f() {\n" + strings.Repeat("_ = 1\n", 80) + "}"
	for want, source := range map[string]string{
		"at most 70":        long,
		"at most 800":       "package log\n" + strings.Repeat("\n", 900) + "var x = 1",
		"panics":            `package log; func f() { panic("x") }`,
		"is called log":     `package log; func f() { log := 1; _ = log }`,
		"not documented":    `package log; func F() {}`,
		"reads the environ": `package log; import "os"; var x = os.Getenv("X")`,
		"has an init":       `package log; func init() {}`,
	} {
		problems := strings.Join(shapeProblems(parse(t, "../../log/x.go", source)), "\n")
		if !strings.Contains(problems, want) {
			t.Errorf("%q is not found in %.60q: %s", want, source, problems)
		}
	}
}

// TestPackagesIntroduceThemselves wants one package comment a package.
func TestPackagesIntroduceThemselves(t *testing.T) {
	comments := map[string]int{}
	for _, f := range tree(t) {
		if f.test {
			continue
		}
		comments[f.dir] += btoi(f.ast.Doc != nil)
	}
	for dir, n := range comments {
		if n != 1 {
			t.Errorf("package %s has %d package comments, want one, in doc.go", dir, n)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestExamplesAndPluginsHaveReadmes wants a page beside each.
func TestExamplesAndPluginsHaveReadmes(t *testing.T) {
	for _, pattern := range []string{"../../examples/*", "../../plugins/*"} {
		dirs, _ := filepath.Glob(pattern)
		for _, dir := range dirs {
			if info, err := os.Stat(dir); err != nil || !info.IsDir() {
				continue
			}
			if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
				t.Errorf("%s has no README.md", dir)
			}
		}
	}
}
