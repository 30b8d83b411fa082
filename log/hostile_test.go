package log_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// youngStore makes a store that was never opened again: its write-ahead log is all of it.
func youngStore(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "store")
	l, err := log.Open(dir, log.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		appendOK(t, l, log.Durable, event("a", "k", ""))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestYoungStoreThatIsGone: a store whose only log is damaged at its first byte looks like a new
// one. The head mark tells that there was more.
func TestYoungStoreThatIsGone(t *testing.T) {
	for name, damage := range map[string]func(wal string) error{
		"garbage": func(wal string) error { return os.WriteFile(wal, []byte(strings.Repeat("1\n2\n3\n", 3000)), 0o600) },
		"empty":   func(wal string) error { return os.Truncate(wal, 0) },
		"gone":    os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			dir := youngStore(t)
			wals, err := filepath.Glob(filepath.Join(dir, "*.log"))
			if err != nil || len(wals) != 1 {
				t.Fatalf("%v, %v", wals, err)
			}
			if err := damage(wals[0]); err != nil {
				t.Fatal(err)
			}
			for range 2 { // being refused does not make it whole
				var d *log.DamageError
				l, err := log.Open(dir, log.Options{MinFree: -1})
				if !errors.As(err, &d) {
					if err == nil {
						t.Errorf("opened as if whole, with %d events", l.Head())
						_ = l.Close()
					}
					t.Fatalf("got %v, want damage", err)
				}
				if d.From != 1 || d.To != 3 {
					t.Errorf("events %d to %d are said to be missing, want 1 to 3", d.From, d.To)
				}
			}
			l, err := log.Open(dir, log.Options{MinFree: -1, AcceptLoss: true})
			if err != nil {
				t.Fatal(err)
			}
			var ev abi.Event
			r := l.NewReader(log.ReadOptions{From: 1})
			if !r.Next(&ev) || ev.Topic != "$sys.loss" {
				t.Errorf("the first event is %q, want $sys.loss", ev.Topic)
			}
			r.Close()
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestStoreWithLinks: what a link in a store's folder leads to is neither emptied nor copied.
func TestStoreWithLinks(t *testing.T) {
	for _, name := range []string{"LOCK", "HEAD", "000002.log", "ballast", "another"} {
		t.Run(name, func(t *testing.T) {
			dir := youngStore(t)
			victim := filepath.Join(t.TempDir(), "victim")
			if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			link := filepath.Join(dir, name)
			if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if err := os.Symlink(victim, link); err != nil {
				t.Skipf("this system lets nobody make a link, so a store has none: %v", err)
			}
			if l, err := log.Open(dir, log.Options{MinFree: -1}); err == nil || !strings.Contains(err.Error(), name+" in it is no file") {
				t.Errorf("opened: %v", err)
				if err == nil {
					_ = l.Close()
				}
			}
			if _, err := log.Restore(dir, filepath.Join(t.TempDir(), "copy"), log.Options{MinFree: -1}); err == nil || !strings.Contains(err.Error(), name+" in it is no file") {
				t.Errorf("restored: %v", err)
			}
			if b, err := os.ReadFile(victim); err != nil || string(b) != "precious" {
				t.Errorf("the file behind the link has %q, %v", b, err)
			}
		})
	}
}

// TestOptionsWithoutEnd: a file that the engine reads into memory is looked at before.
func TestOptionsWithoutEnd(t *testing.T) {
	dir := youngStore(t)
	files, err := filepath.Glob(filepath.Join(dir, "OPTIONS-*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	if err := os.Truncate(files[0], 1<<32); err != nil {
		t.Skipf("files of 4 GiB do not fit here, not even empty ones: %v", err)
	}
	if l, err := log.Open(dir, log.Options{MinFree: -1}); !errors.Is(err, log.ErrDamaged) {
		t.Errorf("got %v", err)
		if err == nil {
			_ = l.Close()
		}
	}
}
