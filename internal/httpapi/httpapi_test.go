package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/httpapi"
	"github.com/avx-platform/avxrt/internal/telemetry"
	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/runtime"
)

const manifest = `
[[subscriber]]
name   = "probe"
module = "probe.wasm"
topics = ["do.*"]
emits  = ["out.*"]
limits = { time = "5s" }
`

// serve starts a node and its interface.
func serve(t *testing.T) *httptest.Server {
	t.Helper()
	wasm, err := os.ReadFile("../sandbox/testdata/probe.wasm")
	if err != nil {
		t.Fatal(err)
	}
	r, err := runtime.Open(runtime.Options{ManifestText: []byte(manifest), Dir: t.TempDir(), Modules: fstest.MapFS{"probe.wasm": {Data: wasm}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	server := httptest.NewServer(httpapi.New(httpapi.Options{Runtime: r, Metrics: telemetry.Handler(r), MaxBody: 10_000, Beat: 10 * time.Millisecond}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func send(t *testing.T, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

const one = `{"specversion":"1.0","id":"1","source":"/s","type":"a.b","subject":"k","data":{"x":1}}`

func TestPublish(t *testing.T) {
	s := serve(t)
	structured := []string{"Content-Type", "application/cloudevents+json"}
	resp, body := send(t, "POST", s.URL+"/v1/events", one, structured...)
	if resp.StatusCode != 201 || body != `{"events":[{"id":"1","seq":1,"version":1,"durability":"durable","duplicate":false}]}`+"\n" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body = send(t, "POST", s.URL+"/v1/events?durability=accepted", one, structured...)
	if resp.StatusCode != 200 || !strings.Contains(body, `"duplicate":true`) {
		t.Errorf("again: %d %s", resp.StatusCode, body)
	}
	batch := "[" + one + "," + strings.Replace(one, `"id":"1"`, `"id":"2"`, 1) + "]"
	resp, body = send(t, "POST", s.URL+"/v1/events", batch, "Content-Type", "application/cloudevents-batch+json")
	if resp.StatusCode != 201 || !strings.Contains(body, `"seq":2,"version":2`) {
		t.Errorf("batch: %d %s", resp.StatusCode, body)
	}
	resp, body = send(t, "POST", s.URL+"/v1/events", "hello", "Content-Type", "text/plain", "ce-specversion", "1.0", "ce-id", "3", "ce-source", "/s", "ce-type", "c")
	if resp.StatusCode != 201 {
		t.Errorf("binary: %d %s", resp.StatusCode, body)
	}
	resp, body = send(t, "POST", s.URL+"/v1/topics/users.created?key=u", `{"n":1}`, "Content-Type", "application/json")
	if resp.StatusCode != 201 || !strings.Contains(body, `"seq":4`) {
		t.Errorf("plain: %d %s", resp.StatusCode, body)
	}
	resp, body = send(t, "GET", s.URL+"/v1/events/4", "")
	if resp.StatusCode != 200 || !strings.Contains(body, `"type":"users.created","subject":"u"`) || !strings.Contains(body, `"data":{"n":1}`) {
		t.Errorf("event: %d %s", resp.StatusCode, body)
	}
}

// refusal is a request, and what it is refused with.
type refusal struct {
	name, method, path, body string
	headers                  []string
	status                   int
	code                     string
}

const ce = "application/cloudevents+json"

var publishRefusals = []refusal{
	{"no json", "POST", "/v1/events", "{", []string{"Content-Type", ce}, 400, "AVX2001"},
	{"no id", "POST", "/v1/events", `{"specversion":"1.0","source":"/s","type":"a"}`, []string{"Content-Type", ce}, 400, "AVX2001"},
	{"binary without attributes", "POST", "/v1/events", "x", nil, 400, "AVX2001"},
	{"bad topic", "POST", "/v1/topics/a..b", "x", nil, 400, "AVX2002"},
	{"reserved", "POST", "/v1/topics/$effect.smtp.send", "x", nil, 403, "AVX2003"},
	{"half a batch", "POST", "/v1/events", "[" + one + "," + strings.Replace(strings.Replace(one, "a.b", "a.*", 1), `"1"`, `"9"`, 1) + "]", []string{"Content-Type", "application/cloudevents-batch+json"}, 400, "AVX2002"},
	{"large", "POST", "/v1/topics/a", strings.Repeat("x", 10_001), nil, 413, "AVX2009"},
	{"avro", "POST", "/v1/events", "x", []string{"Content-Type", "application/cloudevents+avro"}, 415, "AVX2010"},
	{"durability", "POST", "/v1/topics/a?durability=maybe", "x", nil, 400, "AVX2000"},
	{"foreign origin", "POST", "/v1/topics/a", "x", []string{"Sec-Fetch-Site", "cross-site", "Origin", "http://evil.example"}, 403, "AVX2005"},
	{"compressed", "POST", "/v1/topics/a", "x", []string{"Content-Encoding", "gzip"}, 415, "AVX2010"},
	{"not UTF-8", "POST", "/v1/events", strings.Replace(one, `"k"`, "\"\xff\"", 1), []string{"Content-Type", ce}, 400, "AVX2001"},
	{"key that is no text", "POST", "/v1/topics/a?key=%ff", "x", nil, 400, "AVX2001"},
	{"no batch", "POST", "/v1/events", "null", []string{"Content-Type", "application/cloudevents-batch+json"}, 400, "AVX2001"},
	{"redact at length", "POST", "/v1/events/1/redaction", `{"reason":"` + strings.Repeat("x", 1025) + `"}`, nil, 400, "AVX2000"},
}

var routeRefusals = []refusal{
	{"foreign host", "GET", "/v1/status", "", []string{"Host", "evil.example"}, 403, "AVX2004"},
	{"no route", "GET", "/v2/x", "", nil, 404, "AVX2006"},
	{"no subscriber", "GET", "/v1/subscribers/none", "", nil, 404, "AVX2006"},
	{"no state", "GET", "/v1/subscribers/none/state", "", nil, 404, "AVX2006"},
	{"no event", "GET", "/v1/events/77", "", nil, 404, "AVX2006"},
	{"method", "DELETE", "/v1/subscribers", "", nil, 405, "AVX2007"},
	{"pattern", "GET", "/v1/events?topics=a*", "", nil, 400, "AVX2002"},
	{"pause nobody", "POST", "/v1/subscribers/none/pause", "", nil, 404, "AVX2006"},
	{"pause at length", "POST", "/v1/subscribers/probe/pause", `{"reason":"` + strings.Repeat("x", 1025) + `"}`, nil, 400, "AVX2000"},
	{"resume nobody", "POST", "/v1/subscribers/none/resume", "", nil, 404, "AVX2006"},
	{"reset without json", "POST", "/v1/subscribers/probe/reset", "{", nil, 400, "AVX2000"},
	{"reset to nowhere", "POST", "/v1/subscribers/probe/reset", "{}", nil, 400, "AVX2000"},
	{"reset beyond the end", "POST", "/v1/subscribers/probe/reset", `{"to":"seq:99","dry_run":true}`, nil, 404, "AVX2006"},
	{"drop who runs", "DELETE", "/v1/subscribers/probe", "", nil, 409, "AVX2017"},
	{"drop nobody", "DELETE", "/v1/subscribers/none", "", nil, 404, "AVX2006"},
	{"drop no letters", "DELETE", "/v1/subscribers/probe/dead-letters", "", nil, 400, "AVX2000"},
	{"letters of no seq", "GET", "/v1/subscribers/probe/dead-letters?seq=x", "", nil, 400, "AVX2000"},
	{"letters of no time", "GET", "/v1/subscribers/probe/dead-letters?since=noon", "", nil, 400, "AVX2000"},
	{"letters of no pattern", "GET", "/v1/subscribers/probe/dead-letters?topic=a*", "", nil, 400, "AVX2002"},
	{"redrive nothing", "POST", "/v1/subscribers/probe/dead-letters/redrive", "", nil, 400, "AVX2000"},
	{"redrive of nobody", "POST", "/v1/subscribers/none/dead-letters/redrive?seq=1", "", nil, 404, "AVX2006"},
	{"redrive on garbage", "POST", "/v1/subscribers/probe/dead-letters/redrive?seq=1", "garbage", nil, 422, "AVX2018"},
	{"page that reads", "GET", "/v1/events", "", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, 403, "AVX2005"},
	{"frame", "GET", "/v1/events/1/trace?changes=true", "", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403, "AVX2005"},
	{"mistyped field", "POST", "/v1/subscribers/probe/reset", `{"to":"earliest","dryrun":true}`, nil, 400, "AVX2000"},
	{"reset and more", "POST", "/v1/subscribers/probe/reset", `{"to":"earliest"}{"dry_run":true}`, nil, 400, "AVX2000"},
	{"mistyped parameter", "POST", "/v1/subscribers/probe/deploy?dryrun=true", "x", nil, 400, "AVX2000"},
	{"parameter of no use", "DELETE", "/v1/subscribers/probe?dry_run=true", "", nil, 400, "AVX2000"},
	{"neither true nor false", "POST", "/v1/subscribers/probe/deploy?dry_run=1", "x", nil, 400, "AVX2000"},
	{"parameter twice", "POST", "/v1/subscribers/probe/deploy?dry_run=false&dry_run=true", "x", nil, 400, "AVX2000"},
	{"query in pieces", "DELETE", "/v1/subscribers/probe/dead-letters?all=true&seq=1;2", "", nil, 400, "AVX2000"},
	{"id beyond the end", "GET", "/v1/events?follow=false", "", []string{"Last-Event-ID", "18446744073709551615"}, 400, "AVX2000"},
	{"from", "GET", "/v1/events?from=x", "", nil, 400, "AVX2000"},
}

// TestRefusals sends what must be refused, and checks that nothing of it is in the log.
func TestRefusals(t *testing.T) {
	s := serve(t)
	for _, tt := range slices.Concat(publishRefusals, routeRefusals) {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := send(t, tt.method, s.URL+tt.path, tt.body, tt.headers...)
			var p wire.Problem
			if err := json.Unmarshal([]byte(body), &p); err != nil || resp.StatusCode != tt.status || p.Code != tt.code || p.Status != tt.status || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Fatalf("got %d %s, want %d %s", resp.StatusCode, body, tt.status, tt.code)
			}
		})
	}
	for _, c := range []struct{ body, want string }{
		{one, "; an event as JSON comes with Content-Type: application/cloudevents+json\""},
		{" [" + one + "]", "; a list of events as JSON comes with Content-Type: application/cloudevents-batch+json\""},
		{"x", "specversion: is missing; write \\\"1.0\\\"\""},
	} {
		if _, body := send(t, "POST", s.URL+"/v1/events", c.body); !strings.Contains(body, c.want) {
			t.Errorf("%s without a content type: got %s, want %s", c.body, body, c.want)
		}
	}
	if _, body := send(t, "GET", s.URL+"/v1/events?follow=false", ""); body != "" {
		t.Errorf("something refused is in the log:\n%s", body)
	}
}

// TestStream resumes a stream behind the last event that was seen.
func TestStream(t *testing.T) {
	s := serve(t)
	for _, topic := range []string{"a.x", "b", "a.y"} {
		send(t, "POST", s.URL+"/v1/topics/"+topic, "{\n\"line\": 1}")
	}
	_, body := send(t, "GET", s.URL+"/v1/events?topics=a.*&from=1&follow=false", "")
	if ids := idsOf(body); !slices.Equal(ids, []string{"1", "3"}) {
		t.Fatalf("got %q", body)
	}
	_, body = send(t, "GET", s.URL+"/v1/events?topics=**&follow=false", "", "Last-Event-ID", "1")
	if ids := idsOf(body); !slices.Equal(ids, []string{"2", "3"}) {
		t.Fatalf("resumed: %q", body)
	}
	resp, err := http.Get(s.URL + "/v1/events?from=3")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	send(t, "POST", s.URL+"/v1/topics/late", "1")
	if !lines.Scan() || lines.Text() != "id: 2" {
		t.Errorf("the stream does not say where it begins: %q", lines.Text())
	}
	comments := 0
	for lines.Scan() && !strings.Contains(lines.Text(), `"type":"late"`) {
		if lines.Text() == ":" {
			comments++
		}
	}
	for comments == 0 && lines.Scan() { // an idle stream beats
		if lines.Text() == ":" {
			comments++
		}
	}
	if comments == 0 {
		t.Fatal("no comment on an idle stream")
	}
}

func idsOf(body string) []string {
	var ids []string
	for line := range strings.Lines(body) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "id: "); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// TestClient drives the interface as the command line does.
func TestClient(t *testing.T) {
	s := serve(t)
	ctx := context.Background()
	c, err := client.New(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	events := []abi.Event{
		{ID: "1", Source: "/s", Topic: "do.it", Key: "k", Data: []byte("add n 1;add \xff\xfe 1;emit out.x y"), ContentType: "text/plain"},
		{ID: "2", Source: "/s", Topic: "do.it", Key: "k", Data: []byte("fail 2 no good"), ContentType: "text/plain"},
	}
	if r, err := c.Publish(ctx, events, ""); err != nil || len(r) != 2 || r[1].Seq != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		sub, err := c.Subscriber(ctx, "probe")
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", sub, err)
		}
		if sub.LagEvents == 0 && sub.BlockedKeys == 0 {
			break
		}
	}
	if entries, err := c.State(ctx, "probe", "n", "", 10); err != nil || len(entries) != 1 || entries[0].Value != "1" {
		t.Errorf("state %+v, %v", entries, err)
	}
	for _, page := range []struct{ prefix, after string }{{"\xff", ""}, {"\xff", "\xff"}, {"", "n"}} { // a key that is no text
		entries, err := c.State(ctx, "probe", page.prefix, page.after, 10)
		if err != nil || len(entries) != 1 || entries[0].KeyBase64 != "//4=" || entries[0].Key != "" {
			t.Errorf("state behind %q: %+v, %v", page.after, entries, err)
		}
	}
	if letters, err := c.DeadLetters(ctx, "probe", 0, 10, true); err != nil || len(letters) != 1 || letters[0].Message != "no good" || letters[0].ID != "2" || !strings.Contains(string(letters[0].Event), "fail 2") {
		t.Errorf("dead letters %+v, %v", letters, err)
	}
	var seen []string
	err = c.Tail(ctx, client.TailOptions{Topics: []string{"out.*"}, From: 1}, func(b []byte) error { seen = append(seen, string(b)); return nil })
	if err != nil || len(seen) != 1 || !strings.Contains(seen[0], `"causationid":"1"`) {
		t.Errorf("tail %q, %v", seen, err)
	}
	_, err = c.PublishPlain(ctx, "$sys.x", "", "", nil, "")
	if p, ok := err.(*wire.Problem); !ok || p.Code != "AVX2003" {
		t.Errorf("got %v", err)
	}
	_, metrics := send(t, "GET", s.URL+"/metrics", "")
	for _, want := range []string{"avxrt_log_appended_events_total", `avxrt_subscriber_dead_letters_total{subscriber="probe"} 1`, "avxrt_ready 1"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics has no %s", want)
		}
	}
	if resp, _ := send(t, "GET", s.URL+"/readyz", ""); resp.StatusCode != 200 {
		t.Errorf("readyz says %d", resp.StatusCode)
	}
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	c, err := client.New(address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Status(context.Background()); err == nil || !strings.Contains(err.Error(), "start one with avxrt run") {
		t.Errorf("got %v", err)
	}
}
