package main_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPubFileInterrupted: ^C ends the publishing of a file while the node is at it, says where,
// and that doing it again is safe.
func TestPubFileInterrupted(t *testing.T) {
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 1)
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the end of the connection is noticed behind the body
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer slow.Close()
	file := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(file, []byte(`{"specversion":"1.0","id":"1","source":"/t","type":"a.b"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(program, "--server", slow.Listener.Addr().String(), "pub", "-f", file)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	<-asked
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	want := ":1: interrupted; run it again: what is there already is not appended twice\n"
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.HasSuffix(said.String(), want) {
		t.Errorf("exit code %d, %s, want 1, …%s", code, &said, want)
	}
}
