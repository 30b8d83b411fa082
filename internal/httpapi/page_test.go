package httpapi_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/avx-platform/avxrt/internal/httpapi"
)

// TestPageHasEveryRoute: docs/http.md has the routes that there are, and no others.
func TestPageHasEveryRoute(t *testing.T) {
	page, err := os.ReadFile("../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /[^`]*)` \\|").FindAllSubmatch(page, -1) {
		shown = append(shown, string(row[1]))
	}
	slices.Sort(shown)
	want := append(httpapi.Routes(), "GET /metrics")
	slices.Sort(want)
	if !slices.Equal(shown, want) {
		t.Errorf("the page has\n%q\nthere are\n%q", shown, want)
	}
}
