package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
)

// The head mark is a small file beside the engine's: how far the store certainly is on
// disk. The engine cannot tell a log whose end is gone from one that ended there; the
// mark can. It is written after the fsync of what it names, so a store may be ahead of its
// mark, but never behind it.
type mark struct {
	seq   abi.Seq // last durable event
	chain chain   // up to it
	quiet uint64  // how many groups without events were written: those that only move cursors and state
}

const (
	markFile    = "HEAD"
	markMagic   = 0x4d585641 // "AVXM"
	markVersion = 1
	markLen     = 64
	// A mark is at most this old, in time or bytes, while the log is written.
	markEvery = time.Second
	markBytes = 64 << 20
)

// encode gives the file: magic, version, seq, quiet, chain, the store's identity, crc; see docs/format/log.md.
func (m mark) encode(store string) []byte {
	le := binary.LittleEndian
	b := make([]byte, markLen)
	le.PutUint32(b, markMagic)
	le.PutUint32(b[4:], markVersion)
	le.PutUint64(b[8:], uint64(m.seq))
	le.PutUint64(b[16:], m.quiet)
	copy(b[24:40], m.chain[:])
	copy(b[40:60], store)
	le.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
	return b
}

// decodeMark returns the mark in b and the first bytes of the identity of its store.
func decodeMark(b []byte) (m mark, store string, err error) {
	le := binary.LittleEndian
	switch {
	case len(b) != markLen || le.Uint32(b) != markMagic || crc32.Checksum(b[:60], castagnoli) != le.Uint32(b[60:]):
		return m, "", errors.New("its bytes are damaged")
	case le.Uint32(b[4:]) != markVersion:
		return m, "", fmt.Errorf("it has version %d, this program reads version %d", le.Uint32(b[4:]), markVersion)
	}
	m.seq, m.quiet = abi.Seq(le.Uint64(b[8:])), le.Uint64(b[16:])
	copy(m.chain[:], b[24:40])
	return m, string(b[40:60]), nil
}

func writeMark(fs vfs.FS, dir, store string, m mark) error {
	temporary := fs.PathJoin(dir, markFile+".new")
	f, err := fs.Create(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(m.encode(store))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(temporary, fs.PathJoin(dir, markFile)); err != nil {
		return err
	}
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readMark returns the mark of the store in dir. An error that is not [os.ErrNotExist] is damage.
func readMark(fs vfs.FS, dir string) (m mark, store string, err error) {
	f, err := fs.Open(fs.PathJoin(dir, markFile))
	if err != nil {
		return m, "", err
	}
	b, err := io.ReadAll(io.LimitReader(f, markLen+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return m, "", err
	}
	return decodeMark(b)
}

// marker writes the mark behind the durable head.
type marker struct {
	l    *Log
	wake chan struct{} // capacity 1: the mark is due before the tick
	mu   struct {
		sync.Mutex
		reached mark
		bytes   int // since the last mark
	}
}

func newMarker(l *Log, m mark) *marker {
	k := &marker{l: l, wake: make(chan struct{}, 1)}
	k.mu.reached = m
	return k
}

// reached notes what is on disk now.
func (k *marker) reached(m mark, bytes int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mu.reached = m
	k.mu.bytes += bytes
	if k.mu.bytes >= markBytes {
		k.mu.bytes = 0
		k.hurry()
	}
}

// hurry has the mark written now.
func (k *marker) hurry() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *marker) latest() mark {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mu.reached
}

// run is a goroutine of the log. A mark that cannot be written is only older than it
// could be, so an error is told and tried again.
func (k *marker) run(written mark) {
	tick := time.NewTicker(markEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-k.wake:
		case <-k.l.closing:
			return
		}
		if m := k.latest(); m != written {
			if err := writeMark(k.l.opts.fs, k.l.dir, k.l.store, m); err != nil {
				k.l.opts.Logger.Warn("the head mark was not written; it will be tried again", "error", err)
				continue
			}
			written = m
		}
	}
}
