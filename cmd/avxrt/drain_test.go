package main_test

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/wire"
)

const drainManifest = `
[plugins]
watch = false
[[subscriber]]
name   = "probe"
module = "probe.wasm"
topics = ["do.*"]
limits = { time = "3s", fuel = "1000G" }
`

// managed is a node under a service manager that the test plays.
type managed struct {
	cmd      *exec.Cmd
	dir      string
	manifest string
	told     *net.UnixConn
	server   string
	client   *client.Client
}

func startManaged(t *testing.T, manifest string, flags ...string) *managed {
	t.Helper()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "avx") // short: the name of a socket has 108 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	m := &managed{dir: dir, manifest: filepath.Join(dir, "avxrt.toml")}
	wasm := readFile(t, "../../internal/sandbox/testdata/probe.wasm")
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "plugins"), 0o700), os.WriteFile(filepath.Join(dir, "plugins", "probe.wasm"), wasm, 0o600),
		os.WriteFile(m.manifest, []byte(manifest), 0o600)); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "notify")
	if m.told, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.told.Close() })
	stderr, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	m.cmd = exec.Command(program, append([]string{"run", m.manifest, "--port-file", filepath.Join(dir, "port")}, flags...)...)
	m.cmd.Env = append(os.Environ(), "AVXRT_HTTP_LISTEN=127.0.0.1:0", "NOTIFY_SOCKET="+socket)
	m.cmd.Stderr = stderr
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.cmd.Process.Kill(); _ = m.cmd.Wait() })
	m.hears(t, "READY=1\n")
	m.server = strings.TrimSpace(string(readFile(t, filepath.Join(dir, "port"))))
	if m.client, err = client.New(m.server); err != nil {
		t.Fatal(err)
	}
	return m
}

// hears waits for the next message to the service manager.
func (m *managed) hears(t *testing.T, prefix string) string {
	t.Helper()
	_ = m.told.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 4096)
	n, err := m.told.Read(b)
	if err != nil || !strings.HasPrefix(string(b[:n]), prefix) {
		t.Fatalf("the node told %q, %v; want %q…\n%s", b[:n], err, prefix, m.stderr(t))
	}
	return string(b[:n])
}

func (m *managed) stderr(t *testing.T) string {
	return string(readFile(t, filepath.Join(m.dir, "stderr")))
}

func (m *managed) ready(t *testing.T) int {
	t.Helper()
	resp, err := http.Get("http://" + m.server + "/readyz")
	if err != nil {
		t.Fatalf("%v\n%s", err, m.stderr(t))
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func (m *managed) do(t *testing.T, script string) error {
	t.Helper()
	_, err := m.client.PublishPlain(t.Context(), "do.it", "k", "text/plain", []byte(script), "")
	return err
}

// TestSigterm ends a node while a guest is busy: the node says at once that it takes nothing
// more, waits for the guest, and ends with 0.
func TestSigterm(t *testing.T) {
	m := startManaged(t, drainManifest)
	if code := m.ready(t); code != http.StatusOK {
		t.Fatalf("readyz answers %d before", code)
	}
	if err := errors.Join(m.do(t, "add n 1"), m.do(t, "log 1 begun;loop")); err != nil {
		t.Fatal(err)
	}
	until(t, "the guest is busy", func() bool { return strings.Contains(m.stderr(t), "begun") })
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.hears(t, "STOPPING=1\n")
	until(t, "readyz answers 503", func() bool { return m.ready(t) == http.StatusServiceUnavailable })
	var refused *wire.Problem
	if err := m.do(t, "add n 1"); !errors.As(err, &refused) || refused.Code != "AVX2012" {
		t.Errorf("a node that drains answers a publish with %v", err)
	}
	if err := m.cmd.Wait(); err != nil {
		t.Errorf("the node ended with %v", err)
	}
	if out := m.stderr(t); !strings.HasSuffix(out, "drained: cursors committed, log closed\n") {
		t.Errorf("the node's last words:\n%s", out)
	}
}

// TestSigtermWait ends a node whose guest takes longer than the node may wait.
func TestSigtermWait(t *testing.T) {
	m := startManaged(t, drainManifest, "--drain-wait", "100ms")
	if err := m.do(t, "log 1 begun;loop"); err != nil {
		t.Fatal(err)
	}
	until(t, "the guest is busy", func() bool { return strings.Contains(m.stderr(t), "begun") })
	_ = m.cmd.Process.Signal(syscall.SIGTERM)
	var exit *exec.ExitError
	if err := m.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(m.stderr(t), "did not finish its event in time") {
		t.Errorf("the node ended with %v:\n%s", err, m.stderr(t))
	}
}

// TestSighup changes the manifest of a node that does not watch it: a good one is taken, of a
// bad one nothing.
func TestSighup(t *testing.T) {
	m := startManaged(t, drainManifest)
	hup := func(manifest string) {
		t.Helper()
		if err := os.WriteFile(m.manifest, []byte(manifest), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := m.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		m.hears(t, "RELOADING=1\nMONOTONIC_USEC=")
		m.hears(t, "READY=1\n")
	}
	names := func() (names string) {
		t.Helper()
		subs, err := m.client.Subscribers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range subs {
			names += s.Name + " "
		}
		return names
	}
	hup(drainManifest + "[[subscriber]]\nname = \"second\"\nmodule = \"probe.wasm\"\ntopics = [\"do.*\"]\n")
	if got := names(); got != "probe second " {
		t.Errorf("the subscribers are %s", got)
	}
	hup("this is no manifest")
	status, err := m.client.Status(t.Context())
	if err != nil || status.ManifestError == "" || names() != "probe second " {
		t.Errorf("after a bad manifest: %+v, %v, %s", status, err, names())
	}
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.hears(t, "STOPPING=1\n")
	if err := m.cmd.Wait(); err != nil {
		t.Errorf("the node ended with %v", err)
	}
}
