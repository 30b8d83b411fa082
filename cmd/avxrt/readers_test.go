package main_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/log"
)

// readerBytes is what one reader that does not read may cost: two chunks of the log, the
// buffers of its connection and its goroutines' stacks, with room to spare.
const readerBytes = 384 << 10

// TestDeadReaders lets readers ask for a backlog and never read: what they cost is bounded,
// and the node serves others meanwhile. A node that never collects garbage is the planted breach.
func TestDeadReaders(t *testing.T) {
	p := fault.Prove(t, "P25", "readers that do not read", "slow or dead readers cost bounded memory")
	size := fault.Size(t, 1, 10)
	readers, backlog := 1000, 1_000_000*size
	if os.Getenv("AVXRT_FAULTS") == "" || os.Getenv("AVXRT_FAULTS") == "test" {
		readers, backlog = 100, 100_000
	}
	dir := t.TempDir()
	manifest := filepath.Join(dir, "avxrt.toml")
	if err := os.WriteFile(manifest, []byte("[plugins]\nwatch = false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	fill(t, filepath.Join(data, "log"), backlog)
	n := start(t, manifest, data)
	calm := n.peak(t)
	grown := n.besiege(t, readers) - calm
	p.Injected(readers)
	t.Logf("%d readers before %d events cost %d KiB each, the node itself takes %d MiB", readers, backlog, grown>>10/readers, calm>>20)
	if grown > readers*readerBytes {
		t.Errorf("%d readers cost %d bytes, %d are allowed", readers, grown, readers*readerBytes)
	}
	if _, err := n.client.Publish(context.Background(), []abi.Event{{Topic: "still.here", ID: "1", Source: "/test"}}, "durable"); err != nil {
		t.Errorf("beside dead readers nothing can be published: %v", err)
	}
	n.kill(t)

	t.Setenv("GOGC", "off")
	n = start(t, manifest, data)
	calm = n.peak(t)
	const few = 20
	for range 6 { // each reads all that fits, and goes
		n.besiege(t, few)
	}
	if n.peak(t)-calm <= few*readerBytes {
		t.Error("a node that never collects garbage passes")
	} else {
		p.Breach()
	}
	n.kill(t)
}

// fill writes a backlog of events of 256 bytes.
func fill(t *testing.T, dir string, count int) {
	t.Helper()
	l, err := log.Open(dir, log.Options{})
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat([]byte("x"), 256)
	batch := make([]abi.Event, 1000)
	for i := 0; i < count; i += len(batch) {
		for j := range batch {
			batch[j] = abi.Event{Topic: "back.log", Key: fmt.Sprint("k", j%100), Data: body}
		}
		if _, err := l.Append(context.Background(), batch, log.Accepted); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// besiege opens readers that send their request and read no more than its first answer, and returns the
// node's peak when all were answered.
func (n *node) besiege(t *testing.T, readers int) int {
	t.Helper()
	host := strings.TrimPrefix(n.server, "http://")
	for range readers {
		c, err := net.DialTimeout("tcp", host, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.(*net.TCPConn).SetReadBuffer(4096)
		if _, err := fmt.Fprintf(c, "GET /v1/events?topics=**&from=1 HTTP/1.1\r\nHost: %s\r\n\r\n", host); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := c.Read(make([]byte, 512)); err != nil {
			t.Fatalf("a reader got no answer: %v\n%s", err, n.stderr)
		}
	}
	return n.peak(t)
}

// peak returns the largest resident memory of the process so far, in bytes.
func (n *node) peak(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
	if err != nil {
		t.Skip("the peak of a process's memory is read from /proc, which is not here")
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
