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
