package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/httpapi"
)

// TestMethods: what is not allowed is answered with what is, and HEAD of a stream ends.
func TestMethods(t *testing.T) {
	s := serve(t)
	for _, c := range []struct{ method, path, allow string }{
		{"PUT", "/v1/events", "GET, HEAD, POST"},
		{"OPTIONS", "/v1/subscribers/probe", "GET, HEAD, DELETE"},
		{"PATCH", "/v1/subscribers/probe/pause", "POST"},
	} {
		resp, body := send(t, c.method, s.URL+c.path, "")
		if resp.StatusCode != 405 || resp.Header.Get("Allow") != c.allow || !strings.Contains(body, "use "+strings.ReplaceAll(c.allow, ", ", " or ")) {
			t.Errorf("%s %s: %d, Allow %q, %s", c.method, c.path, resp.StatusCode, resp.Header.Get("Allow"), body)
		}
	}
	if resp, _ := send(t, "HEAD", s.URL+"/v1/events", ""); resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
}

// TestLinks: what the pages of others may do is follow a link, and a name has no capitals.
func TestLinks(t *testing.T) {
	s := serve(t)
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
		{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
		{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"},
		{"Host", "LocalHost:7080"},
	} {
		if resp, body := send(t, "GET", s.URL+"/v1/status", "", headers...); resp.StatusCode != 200 {
			t.Errorf("%q: %d %s", headers, resp.StatusCode, body)
		}
	}
}

// TestBodyThatEnds: a client that ends in the middle of its module is at fault, not the node.
func TestBodyThatEnds(t *testing.T) {
	s := serve(t)
	for _, path := range []string{"deploy", "shadow", "dead-letters/redrive?seq=1"} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(conn, "POST /v1/subscribers/probe/"+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n\x00asm")
		if err = errors.Join(err, conn.(*net.TCPConn).CloseWrite()); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != 400 {
			t.Errorf("%s: %+v, %v", path, resp, err)
		}
		_ = conn.Close()
	}
}

// TestFailuresAreLogged: an operator finds in the log what a client was told as AVX2013, and a
// request that the end of the node cut short is no failure.
func TestFailuresAreLogged(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, nil))
	for _, c := range []struct {
		err  error
		want int
		text string
	}{
		{errors.New("the floor gave way"), 500, `msg="a request failed" method=POST path=/v1/clock error="the floor gave way"`},
		{context.Canceled, 503, ""},
	} {
		out.Reset()
		w := httpapi.Fail(logger, c.err)
		if w.Code != c.want || !strings.Contains(out.String(), c.text) || c.text == "" && out.Len() > 0 {
			t.Errorf("%v: %d %s, logged %q", c.err, w.Code, w.Body, &out)
		}
	}
}

// deadlineWriter notes whether an answer may take for ever to be read.
type deadlineWriter struct {
	*httptest.ResponseRecorder
	set bool
}

func (w *deadlineWriter) SetWriteDeadline(at time.Time) error {
	w.set = !at.IsZero()
	return nil
}

// TestReadersHaveADeadline: who does not read an answer does not hold on to it.
func TestReadersHaveADeadline(t *testing.T) {
	s := serve(t)
	send(t, "POST", s.URL+"/v1/topics/a", "1")
	for _, path := range []string{"/v1/status", "/v1/events/1", "/v1/nowhere", "/metrics", "/v1/events?follow=false"} {
		w := &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest("GET", path, nil)
		r.Host = "localhost"
		s.Config.Handler.ServeHTTP(w, r)
		if !w.set {
			t.Errorf("%s: %d without a deadline", path, w.Code)
		}
	}
}
