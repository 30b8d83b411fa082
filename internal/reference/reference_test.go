package reference_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/internal/catalogue"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/reference"
)

func ExampleErrors() {
	title, _, _ := strings.Cut(reference.Errors(), "\n")
	fmt.Println(title)
	// Output: # Error codes
}

// TestWhole: every key and every code is there, and the schema has each key where it belongs.
func TestWhole(t *testing.T) {
	text := reference.Manifest()
	schema, err := reference.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(schema, &root); err != nil {
		t.Fatal(err)
	}
	for _, k := range manifest.Keys() {
		if !strings.Contains(text, k.Doc) || k.Env != "" && !strings.Contains(text, k.Env) {
			t.Errorf("%s is not in the reference", k.Path)
		}
		at := root
		for name := range strings.SplitSeq(k.Path, ".") {
			if items, ok := at["items"].(map[string]any); ok {
				at = items
			}
			properties, _ := at["properties"].(map[string]any)
			if at, _ = properties[name].(map[string]any); at == nil {
				t.Fatalf("%s is not in the schema", k.Path)
			}
		}
		if at["description"] != k.Doc {
			t.Errorf("%s: %v", k.Path, at)
		}
	}
	for _, e := range catalogue.All() {
		if !strings.Contains(reference.Errors(), "## "+e.Code) {
			t.Errorf("%s is not in the list of codes", e.Code)
		}
	}
}
