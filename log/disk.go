package log

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk keeps the engine away from a full disk, where it would try the same flush for ever
// without an error, or end the process. Before a group is written it looks at the room
// that is left; and a ballast file is given up when a write fails all the same.
type disk struct {
	l  *Log
	mu struct {
		sync.Mutex
		free    uint64
		known   bool
		full    bool
		budget  int64 // bytes that may be written before it looks again
		looked  time.Time
		ballast bool // the file is there
	}
}

const (
	ballastFile = "ballast"
	// It looks again after this time or after writing a quarter of what is free.
	lookEvery = 50 * time.Millisecond
)

func newDisk(l *Log) *disk {
	d := &disk{l: l}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.look(0)
	return d
}

// wrap gives the ballast up when an operation of the engine finds the disk full.
func (d *disk) wrap(fs vfs.FS) vfs.FS {
	return vfs.OnDiskFull(fs, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.mu.ballast {
			_ = d.l.opts.fs.Remove(d.path())
			d.mu.ballast = false
		}
		d.setFull(true)
		d.mu.budget = 0
	})
}

func (d *disk) path() string { return d.l.opts.fs.PathJoin(d.l.dir, ballastFile) }

// state returns what was last seen.
func (d *disk) state() (free uint64, full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.free, d.mu.full
}

// check says whether size bytes may be written; [ErrDiskFull] if not.
func (d *disk) check(size int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.budget -= int64(size); d.mu.budget <= 0 || d.mu.full || time.Since(d.mu.looked) > lookEvery {
		d.look(size)
	}
	if d.mu.full {
		return fmt.Errorf("%w (%d MiB are free)", ErrDiskFull, d.mu.free>>20)
	}
	return nil
}

// look reads how much room there is. It needs mu.
func (d *disk) look(size int) {
	d.mu.looked = time.Now()
	usage, err := d.l.opts.fs.GetDiskUsage(d.l.dir)
	if err != nil || d.l.opts.MinFree < 0 {
		d.mu.known, d.mu.budget = false, 1<<20 // a file system that cannot tell: only its errors count
		d.setFull(false)
		return
	}
	d.mu.known, d.mu.free = true, usage.AvailBytes
	need := uint64(d.l.opts.MinFree)
	if need == 0 {
		need = min(256<<20, usage.TotalBytes/8)
	}
	need += uint64(size)
	if d.mu.full {
		need += need / 4 // some distance, so that it does not go on and off
	}
	d.setFull(usage.AvailBytes < need)
	d.mu.budget = int64(usage.AvailBytes-min(need, usage.AvailBytes)) / 4
	if usage.AvailBytes > 2*need+uint64(max(d.l.opts.Ballast, 0)) {
		d.takeBallast()
	}
}

// setFull needs mu.
func (d *disk) setFull(full bool) {
	if d.mu.full == full {
		return
	}
	d.mu.full = full
	o := d.l.opts.Observer
	if full {
		d.l.opts.Logger.Error("the disk is almost full; events are refused until there is room", "dir", d.l.dir, "free", d.mu.free)
		if o.DiskFull != nil {
			o.DiskFull(d.mu.free)
		}
		return
	}
	d.l.opts.Logger.Info("the disk has room again", "dir", d.l.dir, "free", d.mu.free)
	if o.DiskFreed != nil {
		o.DiskFreed(d.mu.free)
	}
}

// takeBallast makes the ballast file unless it is there. It needs mu.
func (d *disk) takeBallast() {
	if d.mu.ballast || d.l.opts.Ballast <= 0 {
		return
	}
	fs := d.l.opts.fs
	if _, err := fs.Stat(d.path()); err == nil {
		d.mu.ballast = true
		return
	}
	f, err := fs.Create(d.path(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return
	}
	err = errors.Join(f.Preallocate(0, d.l.opts.Ballast), f.Close())
	d.mu.ballast = err == nil
}
