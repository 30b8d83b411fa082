package watch_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/watch"
)

// rig watches the *.c files of a tree.
type rig struct {
	t       *testing.T
	dir     string
	changes chan map[string]string
}

func (r *rig) look() (folders []string, files map[string]string) {
	var paths []string
	_ = filepath.WalkDir(r.dir, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
		case d.IsDir():
			folders = append(folders, path)
		case filepath.Ext(path) == ".c":
			paths = append(paths, path)
		}
		return nil
	})
	return folders, watch.Stat(paths...)
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// await waits for changes until one shows these files.
func (r *rig) await(names ...string) {
	r.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case files := <-r.changes:
			var got []string
			for _, path := range slices.Sorted(maps.Keys(files)) {
				rel, _ := filepath.Rel(r.dir, path)
				got = append(got, rel)
			}
			if slices.Equal(got, names) {
				return
			}
		case <-deadline:
			r.t.Fatalf("no change showed %q", names)
		}
	}
}

func start(t *testing.T, poll time.Duration, dir string) *rig {
	r := &rig{t: t, dir: dir, changes: make(chan map[string]string, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	looked := make(chan struct{}, 1000)
	go func() {
		defer close(ended)
		watch.Run(ctx, watch.Options{Look: func() ([]string, map[string]string) {
			looked <- struct{}{}
			return r.look()
		}, Settle: 5 * time.Millisecond, PollEvery: poll}, func() {
			_, files := r.look()
			r.changes <- files
		})
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			t.Error("it does not end")
		}
	})
	for range 3 { // twice at the start, and once more after it listens
		<-looked
	}
	return r
}

// TestNotified: files that are written, new, in new folders, replaced and removed are told of
// without a poll.
func TestNotified(t *testing.T) {
	r := start(t, time.Hour, t.TempDir())
	r.write("a.c", "1")
	r.await("a.c")
	r.write("sub/deep/b.c", "1")
	r.await("a.c", "sub/deep/b.c")
	r.write("sub/deep/c.c", "1") // in a folder that was new
	r.await("a.c", "sub/deep/b.c", "sub/deep/c.c")
	r.write("new", "2")
	if err := os.Rename(filepath.Join(r.dir, "new"), filepath.Join(r.dir, "a.c")); err != nil {
		t.Fatal(err)
	}
	r.await("a.c", "sub/deep/b.c", "sub/deep/c.c")
	if err := os.RemoveAll(filepath.Join(r.dir, "sub")); err != nil {
		t.Fatal(err)
	}
	r.await("a.c")
}

// TestPolled: a folder that was not there, so that nobody tells of it, is seen by looking.
func TestPolled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	r := &rig{t: t, dir: dir}
	r = start(t, 10*time.Millisecond, dir)
	r.write("a.c", "1")
	r.await("a.c")
}

// TestOthers: files that nobody names are no change.
func TestOthers(t *testing.T) {
	r := start(t, time.Hour, t.TempDir())
	for range 50 {
		r.write("out.wasm", "1")
		r.write("plugins/out.wasm", time.Now().String())
	}
	r.write("a.c", "1")
	r.await("a.c")
	if n := len(r.changes); n > 0 {
		t.Errorf("%d changes more", n)
	}
}
