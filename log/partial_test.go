package log_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/log"
)

// TestUnfinishedCopies: what an attempt that was cut short left behind is no obstacle, and a folder
// of the same name that holds anything else stays as it is.
func TestUnfinishedCopies(t *testing.T) {
	dir := t.TempDir()
	l := open(t, filepath.Join(dir, "a"), log.Options{})
	fill(t, l, 10)
	whole := filepath.Join(dir, "whole")
	if _, err := l.Backup(ctx, whole); err != nil {
		t.Fatal(err)
	}
	for name, copyTo := range map[string]func(to string) error{
		"backup":  func(to string) error { _, err := l.Backup(ctx, to); return err },
		"fork":    func(to string) error { _, err := l.Fork(ctx, to, l.Head()); return err },
		"restore": func(to string) error { _, err := log.Restore(whole, to, log.Options{}); return err },
	} {
		t.Run(name, func(t *testing.T) {
			to := filepath.Join(dir, name)
			partial := to + ".partial"
			if err := os.CopyFS(partial, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			mine := filepath.Join(partial, "letter.txt")
			if err := os.WriteFile(mine, []byte("dear"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := copyTo(to); err == nil || !strings.Contains(err.Error(), "letter.txt; move it away") {
				t.Errorf("got %v", err)
			}
			equal(t, "the letter", string(readFile(t, vfs.Default, mine)), "dear")
			if err := os.Remove(mine); err != nil {
				t.Fatal(err)
			}
			if err := copyTo(to); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(partial); !os.IsNotExist(err) {
				t.Errorf("it is still there: %v", err)
			}
		})
	}
}
