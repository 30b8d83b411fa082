package watch

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Options say what to watch, and how.
type Options struct {
	// Look names the folders from which notifications are wanted, and describes the files that
	// count, as Stat does. A description that is another than before is a change.
	Look func() (folders []string, files map[string]string)

	// Settle is how long files must have been left alone before they are looked at: long enough
	// for a copy to end, short enough not to be felt. Default 100 ms.
	Settle time.Duration

	// PollEvery is how often they are looked at without a notification. Default 2 s.
	PollEvery time.Duration

	// Logger is told where there are no notifications. Default: discard.
	Logger *slog.Logger
}

// longest bounds the wait for files to be left alone, in Settles: one that is written without
// end is looked at all the same.
const longest = 20

// Run calls changed, from its own goroutine and one call after another, each time the files
// are others than before, until ctx ends. What changes meanwhile is one more change after it.
func Run(ctx context.Context, opts Options, changed func()) {
	if opts.Settle == 0 {
		opts.Settle = 100 * time.Millisecond
	}
	if opts.PollEvery == 0 {
		opts.PollEvery = 2 * time.Second
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	var folders []string
	var n notices
	defer func() { n.close() }()
	poll := time.NewTicker(opts.PollEvery)
	defer poll.Stop()
	_, seen := opts.Look()
	for ctx.Err() == nil {
		now, files := opts.Look()
		if !slices.Equal(folders, now) || n.missing {
			n.close()
			folders, n = now, listen(opts.Logger, now, n.missing)
			_, files = opts.Look() // what came in between was told to nobody
		}
		if !maps.Equal(seen, files) {
			seen = files
			changed()
			continue // and what changed meanwhile
		}
		select {
		case <-ctx.Done():
		case <-poll.C:
		case <-n.events():
			n.settle(ctx, opts.Settle)
		}
	}
}

// Stat describes files by size, time and mode; one that is absent is described, too.
func Stat(paths ...string) map[string]string {
	files := make(map[string]string, len(paths))
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil {
			files[path] = "absent"
			continue
		}
		files[path] = fmt.Sprint(info.Size(), info.ModTime().UnixNano(), info.Mode())
	}
	return files
}

// notices wraps the system's notifications, which may be missing. It watches folders, not
// files: editors and deployments replace files.
type notices struct {
	w       *fsnotify.Watcher
	missing bool // some folder was not there, or could not be watched
}

// listen asks for notifications. told says that the logger knows of what is missing.
func listen(logger *slog.Logger, folders []string, told bool) notices {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		logger.Warn("no file notifications, files are polled", "error", err)
		return notices{}
	}
	n := notices{w: w}
	for _, dir := range folders {
		if err := w.Add(dir); err != nil {
			n.missing = true
			if !told {
				logger.Warn("no file notifications, files are polled", "dir", dir, "error", err)
			}
		}
	}
	return n
}

// events returns the channel of notifications; nil, which never delivers, without any.
func (n notices) events() <-chan fsnotify.Event {
	if n.w == nil {
		return nil
	}
	return n.w.Events
}

// settle waits until there was no notification for d, or ctx ends.
func (n notices) settle(ctx context.Context, d time.Duration) {
	quiet, enough := time.NewTimer(d), time.NewTimer(longest*d)
	defer quiet.Stop()
	defer enough.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-quiet.C:
			return
		case <-enough.C:
			return
		case <-n.w.Events:
			quiet.Reset(d)
		}
	}
}

func (n notices) close() {
	if n.w != nil {
		_ = n.w.Close()
	}
}
