package runtime

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long files must have been left alone before they are read: long enough
// for a copy of a module to end, short enough not to be felt.
const settle = 100 * time.Millisecond

// watch reloads the plan when the manifest or a module changes. The system's notifications
// make it quick; looking at the files every PollEvery makes it certain, because
// notifications are lost on network file systems and under load.
func (r *Runtime) watch(ctx context.Context) {
	notices := r.notices()
	defer notices.close()
	poll := time.NewTicker(r.opts.PollEvery)
	defer poll.Stop()
	seen := r.signature()
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		case <-notices.events():
			if !sleep(ctx, settle) {
				return
			}
		}
		now := r.signature()
		if maps.Equal(seen, now) {
			continue
		}
		seen = now
		_ = r.Reload(ctx) // it logs and keeps the reason
		notices.close()
		notices = r.notices() // the plugins folder may be another one now
	}
}

// sleep waits for d and says whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// signature describes the watched files; it changes when one of them does.
func (r *Runtime) signature() map[string]string {
	r.mu.Lock()
	m := r.mu.manifest
	r.mu.Unlock()
	files := map[string]string{}
	add := func(path string) {
		info, err := os.Lstat(path)
		if err != nil {
			files[path] = "absent"
			return
		}
		files[path] = fmt.Sprint(info.Size(), info.ModTime().UnixNano(), info.Mode())
	}
	add(r.opts.Manifest)
	for i := range m.Subscribers {
		add(filepath.Join(m.Plugins.Dir, filepath.FromSlash(m.Subscribers[i].Module)))
	}
	return files
}

// notifier wraps the system's notifications, which may be missing.
type notifier struct{ w *fsnotify.Watcher }

// notices watches the folders, not the files: editors and deployments replace files.
func (r *Runtime) notices() notifier {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		r.opts.Logger.Warn("no file notifications, files are polled", "error", err)
		return notifier{}
	}
	r.mu.Lock()
	dirs := []string{filepath.Dir(r.opts.Manifest), r.mu.manifest.Plugins.Dir}
	r.mu.Unlock()
	for _, dir := range dirs {
		if err := w.Add(dir); err != nil {
			r.opts.Logger.Warn("no file notifications, files are polled", "dir", dir, "error", err)
		}
	}
	return notifier{w}
}

// events returns the channel of notifications; nil, which never delivers, without any.
func (n notifier) events() <-chan fsnotify.Event {
	if n.w == nil {
		return nil
	}
	return n.w.Events
}

func (n notifier) close() {
	if n.w != nil {
		_ = n.w.Close()
	}
}
