package telemetry_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/avx-platform/avxrt/internal/telemetry"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// node opens a node whose subscribers have this state.
func node(t testing.TB, state map[string][]log.StateWrite) *runtime.Runtime {
	t.Helper()
	dir := t.TempDir()
	wasm, err := os.ReadFile("../sandbox/testdata/probe.wasm")
	if err != nil {
		t.Fatal(err)
	}
	l, err := log.Open(filepath.Join(dir, "data", "log"), log.Options{VerifyEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	manifest := "[node]\nid = \"n\"\ndata = \"data\"\n"
	for name, writes := range state {
		manifest += fmt.Sprintf("[[subscriber]]\nname = %q\nmodule = \"probe.wasm\"\ntopics = [\"never\"]\n", name)
		if _, err := l.Attach(context.Background(), log.Attachment{Subscriber: name, Next: 1}); err != nil {
			t.Fatal(err)
		}
		for len(writes) > 0 { // a commit of all would be too large
			n := min(len(writes), 3000)
			c := log.Commit{Subscriber: name, StateVersion: 1, From: 1, To: 1, Writes: writes[:n]}
			if _, err := l.Commit(context.Background(), &c, log.Accepted); err != nil {
				t.Fatal(err)
			}
			writes = writes[n:]
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := runtime.Open(runtime.Options{ManifestText: []byte(manifest), Dir: dir, Modules: fstest.MapFS{"probe.wasm": {Data: wasm}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// scrape returns what /metrics says of a node whose subscribers have this state.
func scrape(t *testing.T, accept string, state map[string][]log.StateWrite) string {
	t.Helper()
	r := node(t, state)
	request := httptest.NewRequest("GET", "/metrics", nil)
	request.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	telemetry.Handler(r).ServeHTTP(w, request)
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %.2000s", w.Code, w.Body)
	}
	return w.Body.String()
}

func guestLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") && strings.Contains(line, "guest") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func write(key, value string) log.StateWrite {
	return log.StateWrite{Key: []byte(key), Value: []byte(value)}
}

// TestGuestMetrics shows what is well-formed, in both formats, whatever else is there.
func TestGuestMetrics(t *testing.T) {
	long := strings.Repeat("a", 300)
	writes := []log.StateWrite{
		write("metric/orders_total", "12"), write(`metric/temperature{place="attic",floor="3"}`, "-4.25"),
		write(`metric/odd{v="a\"b\\c\nd"}`, "1"), write("other/orders_total", "99"), write("metricx", "98"),
		write("metric/orders", "5"), // beside orders_total: two families in OpenMetrics if it were a counter
	}
	hostile := []log.StateWrite{
		write(`metric/temperature{floor="3",place="attic"}`, "7"), // comes first in the scan: the other spelling is the second
		write("metric/", "1"), write("metric/0a", "1"), write("metric/a b", "1"), write("metric/ü", "1"), write("metric/a:b", "1"),
		write("metric/x{", "1"), write(`metric/x{a="1"`, "1"), write(`metric/x{a="1"}}`, "1"), write(`metric/x{a="1",}`, "1"), write(`metric/x{,}`, "1"),
		write(`metric/x{a="1",a="2"}`, "1"), write(`metric/x{subscriber="other"}`, "1"), write(`metric/x{__name__="up"}`, "1"),
		write(`metric/x{a="\t"}`, "1"), write(`metric/x{a="\`, "1"), write("metric/x{a=\"\xff\"}", "1"), write(`metric/x{a="`+long+`"}`, "1"),
		write("metric/"+long, "1"), write(`metric/x{a=1}`, "1"), write("metric/x\n# EOF", "1"),
		write("metric/v1", "NaN"), write("metric/v2", "1e9"), write("metric/v3", ""), write("metric/v4", "+1"), write("metric/v5", "0x10"),
		write("metric/v6", "1."), write("metric/v7", ".5"), write("metric/v8", "1_000"), write("metric/v9", " 1"), write("metric/v10", strings.Repeat("9", 41)),
		write("metric/v11", "Inf"), write("metric/v12", "1 2\nup 1"), write("metric/v13", "--1"),
	}
	got := map[string]string{}
	for _, accept := range []string{"text/plain", "application/openmetrics-text;version=1.0.0"} {
		got[accept] = scrape(t, accept, map[string][]log.StateWrite{"a": append(writes, hostile...), "b": writes[:1], "c": nil})
	}
	want := fmt.Sprintf(`avxrt_guest_odd{subscriber="a",v="a\"b\\c\nd"} 1
avxrt_guest_orders{subscriber="a"} 5
avxrt_guest_orders_total{subscriber="a"} 12
avxrt_guest_orders_total{subscriber="b"} 12
avxrt_guest_temperature{floor="3",place="attic",subscriber="a"} 7
avxrt_subscriber_guest_series{subscriber="a"} 4
avxrt_subscriber_guest_series{subscriber="b"} 1
avxrt_subscriber_guest_series_dropped{subscriber="a"} %d
avxrt_subscriber_guest_series_dropped{subscriber="b"} 0
`, len(hostile))
	if lines := guestLines(got["text/plain"]); lines != want {
		t.Errorf("got\n%s\nwant\n%s", lines, want)
	}
	open := guestLines(got["application/openmetrics-text;version=1.0.0"])
	if strings.Count(open, "\n") != strings.Count(want, "\n") || !strings.Contains(open, `avxrt_guest_orders_total{subscriber="a"} 12.0`) {
		t.Errorf("as OpenMetrics\n%s", open)
	}
}

// TestGuestMetricsBounds gives more than is shown, and more than is read.
func TestGuestMetricsBounds(t *testing.T) {
	many := func(n int, value string) (writes []log.StateWrite) {
		for i := range n {
			writes = append(writes, write(fmt.Sprintf("metric/n%06d", i), value))
		}
		return writes
	}
	text := scrape(t, "", map[string][]log.StateWrite{
		"some": many(1300, "1"), "most": many(10_500, "1"), "heavy": many(8, strings.Repeat("x", 1<<20)),
	})
	for line, n := range map[string]int{
		`avxrt_subscriber_guest_series{subscriber="some"} 1000`: 1, `avxrt_subscriber_guest_series_dropped{subscriber="some"} 300`: 1,
		`avxrt_subscriber_guest_series{subscriber="most"} 1000`: 1, `avxrt_subscriber_guest_series_dropped{subscriber="most"} 9001`: 1,
		`avxrt_subscriber_guest_series{subscriber="heavy"} 0`: 1, `avxrt_subscriber_guest_series_dropped{subscriber="heavy"} 4`: 1,
		"\navxrt_guest_n": 2000,
	} {
		if got := strings.Count(text, line); got != n {
			t.Errorf("%d times %q, want %d", got, line, n)
		}
	}
}

// BenchmarkScrape is what a scrape costs a node by how many series its seven subscribers show.
func BenchmarkScrape(b *testing.B) {
	for _, series := range []int{0, 100, 1000} {
		b.Run(fmt.Sprintf("series=%d", series), func(b *testing.B) {
			state := map[string][]log.StateWrite{}
			for i := range 7 {
				name := fmt.Sprintf("s%d", i)
				state[name] = nil
				for j := range series {
					state[name] = append(state[name], write(fmt.Sprintf(`metric/http_requests_total{route="/r%d",status="2xx"}`, j), "12345"))
				}
			}
			handler := telemetry.Handler(node(b, state))
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
