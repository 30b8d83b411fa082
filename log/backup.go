package log

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
)

// partial is the end of the name of a folder that is not complete yet. A crash leaves it
// behind; the next attempt removes it ([clearPartial]).
const partial = ".partial"

// storeFile matches the files of a store.
var storeFile = regexp.MustCompile(`^(\d+\.(sst|log|blob)|(MANIFEST|OPTIONS)-\d+|marker\..*|LOCK|HEAD.*|ballast|streams\.ingest|temporary\..*)$`)

// clearPartial removes what an attempt that was cut short left behind. A folder of that name
// with anything else in it is somebody's own.
func clearPartial(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if !storeFile.MatchString(name) {
			return fmt.Errorf("the folder %s, which would be used meanwhile, has something else in it: %s; move it away", dir, name)
		}
	}
	return fs.RemoveAll(dir)
}

// Backup writes a copy of the store, as it is when all that readers can see now is on
// disk, into the new folder dir, while everything goes on. Files are hard-linked where
// dir is on the same file system. It returns the seq up to which the copy is whole for
// certain; what was appended meanwhile may be in it too. A backup is a store:
// it can be opened, verified, forked and exported where it lies.
func (l *Log) Backup(ctx context.Context, dir string) (abi.Seq, error) {
	if _, err := l.opts.fs.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return 0, errors.Join(fmt.Errorf("back up to %s: the folder is there already; give a new one", dir), err)
	}
	if err := clearPartial(l.opts.fs, dir+partial); err != nil {
		return 0, fmt.Errorf("back up to %s: %w", dir, err)
	}
	m, err := l.checkpoint(ctx, dir+partial)
	if err != nil {
		return 0, fmt.Errorf("back up to %s: %w", dir, errors.Join(err, l.opts.fs.RemoveAll(dir+partial)))
	}
	return m.seq, moveFolder(l.opts.fs, dir+partial, dir)
}

// checkpoint makes a copy with its mark in dir, which is not there yet.
func (l *Log) checkpoint(ctx context.Context, dir string) (mark, error) {
	if err := l.Sync(ctx); err != nil {
		return mark{}, err
	}
	m := l.marks.latest()
	if err := l.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return mark{}, err
	}
	return m, writeMark(l.opts.fs, dir, l.store, m)
}

// moveFolder gives a finished folder its name.
func moveFolder(fs vfs.FS, from, to string) error {
	if err := fs.Rename(from, to); err != nil {
		return err
	}
	parent, err := fs.OpenDir(fs.PathDir(to))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// Restore makes the new folder to a copy of the backup in from, opens it to see that it
// is whole, and returns its head. The backup stays as it is.
func Restore(from, to string, opts Options) (abi.Seq, error) {
	opts = opts.withDefaults()
	if err := emptyFolder(opts.fs, to); err != nil {
		return 0, fmt.Errorf("restore %s to %s: %w", from, to, err)
	}
	if err := ownFiles(opts.fs, from); err != nil {
		return 0, fmt.Errorf("restore %s: %w", from, err)
	}
	if _, _, err := readMark(opts.fs, from); err != nil {
		return 0, fmt.Errorf("restore %s: this is not a backup: the file %s: %w", from, markFile, err)
	}
	if err := clearPartial(opts.fs, to+partial); err != nil {
		return 0, fmt.Errorf("restore %s to %s: %w", from, to, err)
	}
	if err := copyStore(opts.fs, from, to+partial); err != nil {
		return 0, fmt.Errorf("restore %s to %s: %w", from, to, errors.Join(err, opts.fs.RemoveAll(to+partial)))
	}
	l, err := Open(to+partial, opts)
	if err != nil {
		return 0, errors.Join(err, opts.fs.RemoveAll(to+partial))
	}
	head := l.Head()
	if err := l.Close(); err != nil {
		return 0, err
	}
	_ = opts.fs.Remove(to) // an empty folder may stand there
	return head, moveFolder(opts.fs, to+partial, to)
}

// emptyFolder refuses a folder with something in it.
func emptyFolder(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(names) > 0:
		return errors.New("the folder is not empty; choose another or remove what is in it")
	}
	return nil
}

// copyStore copies the files of a store that is not open. Tables never change, so they are
// linked where possible; the others must be the copy's own.
func copyStore(fs vfs.FS, from, to string) error {
	names, err := fs.List(from)
	if err != nil {
		return err
	}
	if err := fs.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, name := range names {
		if name == ballastFile || name == indexFile || name == "LOCK" {
			continue
		}
		src, dst := fs.PathJoin(from, name), fs.PathJoin(to, name)
		if strings.HasSuffix(name, ".sst") {
			err = vfs.LinkOrCopy(fs, src, dst)
		} else {
			err = copyFile(fs, src, dst)
		}
		if err != nil {
			return err
		}
	}
	d, err := fs.OpenDir(to)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func copyFile(fs vfs.FS, from, to string) error {
	src, err := fs.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := fs.Create(to, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Sync(), dst.Close())
}
