package log

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// maxOptions bounds the engine's file of options, which has 3 KiB and is read at once, several
// times over in memory.
const maxOptions = 1 << 20

// ownFiles refuses a folder with links, pipes and the like in it, or with options without end.
// The engine makes its lock by creating the file: it would empty what a link of that name leads
// to. A folder that came from somebody else may have one.
func ownFiles(fs vfs.FS, dir string) error {
	if vfs.Root(fs) != vfs.Default {
		return nil // memory has none
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !e.Type().IsRegular() && !e.IsDir() {
			return fmt.Errorf("%s in it is no file but a link or the like (%v), and what it stands for might be written over; take it out of there", e.Name(), e.Type())
		}
		if !strings.HasPrefix(e.Name(), "OPTIONS-") {
			continue
		}
		if info, err := e.Info(); err == nil && info.Size() > maxOptions {
			return &DamageError{What: fmt.Sprintf("the engine's options, the file %s, have %d bytes", e.Name(), info.Size()), Remedy: "restore a backup"}
		}
	}
	return err
}

// reuseFS decides whether the engine may use an old write-ahead log again. It is faster to
// sync than a new file, but its old bytes stay on the disk behind the new ones: while
// something is being erased for ever, it gets a new file.
type reuseFS struct {
	vfs.FS
	forbid *atomic.Int32
}

// ReuseForWrite implements vfs.FS.
func (f reuseFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if f.forbid.Load() == 0 {
		return f.FS.ReuseForWrite(oldname, newname, category)
	}
	if err := f.FS.Remove(oldname); err != nil {
		return nil, err
	}
	return f.FS.Create(newname, category)
}

// Unwrap lets the engine find the file system below.
func (f reuseFS) Unwrap() vfs.FS { return f.FS }

// markerFS makes the entries of a folder durable before the engine marks one of them as the
// one that counts, and again before it removes the mark of then. The engine syncs the folder
// behind both (Pebble 2.1.7; mended in its #5915, which no release has): a file system that
// does not keep the order of entries could have, after a power loss, the marker of a manifest
// that it lost, or no marker, and the store would not open.
type markerFS struct{ vfs.FS }

// Create implements vfs.FS.
func (f markerFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.settle(name); err != nil {
		return nil, err
	}
	return f.FS.Create(name, category)
}

// Remove implements vfs.FS.
func (f markerFS) Remove(name string) error {
	if err := f.settle(name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

// Unwrap lets the engine find the file system below.
func (f markerFS) Unwrap() vfs.FS { return f.FS }

// settle syncs the folder of a marker.
func (f markerFS) settle(name string) error {
	if !strings.HasPrefix(f.PathBase(name), "marker.") {
		return nil
	}
	dir, err := f.OpenDir(f.PathDir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// guardFS ends the process when an fsync fails. The page that was not written may be
// counted as clean by the system from then on, so trying again would be answered with
// success for data that is lost. The engine itself panics at some of these places.
type guardFS struct {
	vfs.FS
	fail func(reason string)
}

// Create implements vfs.FS.
func (f *guardFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.guard(name)(f.FS.Create(name, category))
}

// OpenReadWrite implements vfs.FS.
func (f *guardFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.guard(name)(f.FS.OpenReadWrite(name, category, opts...))
}

// OpenDir implements vfs.FS.
func (f *guardFS) OpenDir(name string) (vfs.File, error) { return f.guard(name)(f.FS.OpenDir(name)) }

// ReuseForWrite implements vfs.FS.
func (f *guardFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.guard(newname)(f.FS.ReuseForWrite(oldname, newname, category))
}

// Unwrap lets the engine find the file system below.
func (f *guardFS) Unwrap() vfs.FS { return f.FS }

func (f *guardFS) guard(name string) func(vfs.File, error) (vfs.File, error) {
	return func(file vfs.File, err error) (vfs.File, error) {
		if err != nil {
			return nil, err
		}
		return guardFile{file, name, f.fail}, nil
	}
}

type guardFile struct {
	vfs.File
	name string
	fail func(reason string)
}

// Sync implements vfs.File.
func (f guardFile) Sync() error { return f.check(f.File.Sync()) }

// SyncData implements vfs.File.
func (f guardFile) SyncData() error { return f.check(f.File.SyncData()) }

// SyncTo implements vfs.File.
func (f guardFile) SyncTo(length int64) (full bool, err error) {
	full, err = f.File.SyncTo(length)
	return full, f.check(err)
}

// check does not return where there is an error: whoever asked must not go on.
func (f guardFile) check(err error) error {
	if err != nil {
		f.fail("fsync of " + f.name + ": " + err.Error())
		select {}
	}
	return nil
}
