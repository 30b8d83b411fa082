package httpapi_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestSwapRoutes walks the routes that bring a module.
func TestSwapRoutes(t *testing.T) {
	server := serve(t)
	read := func(name string) string {
		wasm, err := os.ReadFile("../sandbox/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(wasm)
	}
	same, other := read("probe.wasm"), read("probe2.wasm")
	base := server.URL + "/v1/subscribers/"
	for _, tt := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{http.MethodGet, "probe/generations", "", 200, `"number":1,`},
		{http.MethodGet, "nobody/generations", "", 404, "AVX2006"},
		{http.MethodPost, "probe/shadow", same, 200, `"refused":false`},
		{http.MethodPost, "probe/shadow?last=x", same, 400, "last must be a number"},
		{http.MethodPost, "probe/shadow?last=1000001", same, 400, "at most 1000000"},
		{http.MethodPost, "probe/shadow", "garbage", 422, "AVX2011"},
		{http.MethodPost, "nobody/shadow", same, 404, "AVX2006"},
		{http.MethodPost, "probe/deploy?dry_run=true", other, 200, `"deployed":false`},
		{http.MethodPost, "probe/deploy", "garbage", 422, "AVX2011"},
		{http.MethodPost, "probe/rollback", "", 404, "a generation of subscriber"},
		{http.MethodPost, "probe/deploy", other, 200, `"deployed":true`},
		{http.MethodPost, "probe/rollback?to=1", "", 200, `"generation":3`},
		{http.MethodGet, "probe/generations", "", 200, `"cause":"rollback"`},
		{http.MethodGet, "probe/deploy", "", 405, "AVX2007"},
	} {
		resp, body := send(t, tt.method, base+tt.path, tt.body)
		if resp.StatusCode != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s %s: %d %.300s, want %d and %s", tt.method, tt.path, resp.StatusCode, body, tt.status, tt.want)
		}
	}
}
