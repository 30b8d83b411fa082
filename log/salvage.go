package log

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
)

// engineDamage says what is lost when the engine cannot open its files. Where it is the
// write-ahead log that is damaged, the part before the damage can be had: then the range
// behind it is known, and with Options.AcceptLoss the rest is cut off.
func (l *Log) engineDamage(cause error) (*DamageError, error) {
	d := &DamageError{What: "the engine cannot read its files: " + cause.Error(), Remedy: "restore a backup"}
	if m, _, err := readMark(l.opts.fs, l.dir); err == nil {
		d.From, d.To = 1, max(m.seq, 1)
	}
	preview := l.dir + ".salvage"
	if err := clearPartial(l.opts.fs, preview); err != nil {
		return d, nil
	}
	defer func() { _ = l.opts.fs.RemoveAll(preview) }()
	if err := copyStore(l.opts.fs, l.dir, preview); err != nil {
		return d, nil
	}
	if err := cutWALs(l.opts.fs, preview); err != nil {
		return d, nil
	}
	head, err := headOf(preview, l.engine)
	if err != nil {
		return d, nil
	}
	d.From, d.To, d.Remedy = head+1, max(d.To, head+1), lossRemedy
	if !l.opts.AcceptLoss {
		return d, nil
	}
	return d, cutWALs(l.opts.fs, l.dir)
}

// headOf returns where the log in dir ends.
func headOf(dir string, engine *pebble.Options) (head abi.Seq, err error) {
	o := engine.Clone()
	o.Lock, o.EventListener, o.ReadOnly = nil, nil, true
	db, err := pebble.Open(dir, o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	end, err := readEnd(db)
	return end.head, err
}

// cutWALs cuts the write-ahead logs in dir off where the first damage is.
func cutWALs(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	numbers := map[uint64]string{}
	for _, name := range names {
		if n, err := strconv.ParseUint(strings.TrimSuffix(name, ".log"), 10, 64); err == nil && isWAL(name) {
			numbers[n] = name
		}
	}
	damaged := false
	sorted := slices.Sorted(maps.Keys(numbers))
	for i, n := range sorted {
		path := fs.PathJoin(dir, numbers[n])
		if damaged {
			if err := fs.Remove(path); err != nil {
				return err
			}
			continue
		}
		end, whole, err := goodBytes(fs, path, n, i == len(sorted)-1)
		if err != nil {
			return err
		}
		if damaged = !whole; damaged {
			if err := cutFile(fs, path, end); err != nil {
				return err
			}
		}
	}
	if !damaged {
		return errors.New("the write-ahead log is not what is damaged")
	}
	return nil
}

// goodBytes returns how many bytes of a write-ahead log can be read, and whether that is
// all that was ever synced.
func goodBytes(fs vfs.FS, path string, number uint64, last bool) (end int64, whole bool, err error) {
	f, err := fs.Open(path)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	r := newRecordReader(record.NewReader, f, number)
	for {
		next, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, next)
		}
		switch {
		case errors.Is(err, io.EOF):
			return end, true, nil
		case errors.Is(err, record.ErrUnexpectedEOF):
			return end, last, nil // only the last one may end in the middle of a record
		case err != nil:
			return end, false, nil
		}
		end = r.Offset()
	}
}

// cutFile replaces a file by its first bytes.
func cutFile(fs vfs.FS, path string, size int64) error {
	src, err := fs.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := fs.Create(path+".cut", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err = io.CopyN(dst, src, size); errors.Is(err, io.EOF) {
		err = fmt.Errorf("%s became shorter: %w", path, os.ErrInvalid)
	}
	if err = errors.Join(err, dst.Sync(), dst.Close()); err != nil {
		return err
	}
	return fs.Rename(path+".cut", path)
}

// newRecordReader exists because the type of a file's number has no name outside of the engine.
func newRecordReader[N ~uint64](make func(io.Reader, N) *record.Reader, r io.Reader, number uint64) *record.Reader {
	return make(r, N(number))
}
