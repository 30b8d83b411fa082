package log_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/log"
)

// TestTmpfs fills real small disks: refused in time, readable all the while, and taking
// events again, without being opened again, as soon as there is room.
func TestTmpfs(t *testing.T) {
	rounds := fault.Size(t, 3, 50)
	p := fault.Prove(t, "P6", "full disks (tmpfs)", "a full disk refuses new events within 100 ms, keeps reads working, and recovers without a restart")
	for done := 0; done < rounds; {
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
			t.Skipf("mounting a tmpfs needs rights that this process has not: %v", err)
		}
		n := fillTmpfs(t, dir, min(3, rounds-done))
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Fatal(err)
		}
		p.Injected(n)
		done += n
	}
}

func fillTmpfs(t *testing.T, dir string, rounds int) int {
	t.Helper()
	for i := range rounds {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("filler", i)), make([]byte, 8<<20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := log.Open(filepath.Join(dir, "log"), log.Options{
		MinFree: 6 << 20, Ballast: 2 << 20, VerifyEvery: -1,
		OnFatal: func(reason string) { t.Error("the process would have ended: ", reason) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ev := event("a", "k", "")
	ev.Data = make([]byte, 50_000)
	for i := range rounds {
		took, err := refusal(l, ev)
		if !errors.Is(err, log.ErrDiskFull) || took > 100*time.Millisecond {
			t.Fatalf("refused with %v after %v", err, took)
		}
		if got := len(readAll(t, l, log.ReadOptions{})); got != int(l.Head()) {
			t.Fatalf("%d of %d events can be read", got, l.Head())
		}
		if err := os.Remove(filepath.Join(dir, fmt.Sprint("filler", i))); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Append(ctx, one(ev), log.Durable); err != nil {
			t.Fatalf("with room again: %v", err)
		}
	}
	verify(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return rounds
}
