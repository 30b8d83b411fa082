package plugins_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/avx-platform/avxrt/internal/cases"
	"github.com/avx-platform/avxrt/internal/manifest"
)

// TestCases runs the cases that lie beside each shipped subscriber, as avxrt test does.
func TestCases(t *testing.T) {
	e := engine(t)
	files, err := cases.Find([]string{"./..."})
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{}
	for _, file := range files {
		c, err := manifest.LoadCases(file)
		if err != nil {
			t.Fatal(err)
		}
		wasm, err := os.ReadFile(c.Module)
		if err != nil {
			t.Fatal(err)
		}
		m, err := e.Load(ctx, c.Rules.Name, wasm)
		if err != nil {
			t.Fatal(err)
		}
		results, err := cases.Run(ctx, m, c, func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			for _, p := range r.Problems {
				t.Errorf("%s: %s: %+v", file, r.Case, p)
			}
		}
		tested[filepath.Base(c.Module)] = len(results) > 0
	}
	for name := range guests {
		if !tested[name+".wasm"] {
			t.Errorf("%s has no cases", name)
		}
	}
}
