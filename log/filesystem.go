package log

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

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
