package logarea

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/bench/peers/harness"
)

// quiet drops what Pebble tells; a store that fails ends the program.
type quiet struct{}

func (quiet) Infof(string, ...any)           {}
func (quiet) Errorf(string, ...any)          {}
func (quiet) Fatalf(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...); os.Exit(1) }

func fillPebble(dir string, n int, o *pebble.WriteOptions) (*pebble.DB, time.Duration, error) {
	db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatNewest, MemTableSize: 32 << 20, Logger: quiet{}})
	if err != nil {
		return nil, 0, err
	}
	evs, start, seq := events(), time.Now(), uint64(0)
	var key [8]byte
	var frame []byte
	for done := 0; done < n; done += batch {
		b := db.NewBatch()
		for i := range evs {
			seq++
			binary.BigEndian.PutUint64(key[:], seq)
			frame = abi.AppendFrame(frame[:0], &evs[i])
			if err := b.Set(key[:], frame, nil); err != nil {
				return nil, 0, errors.Join(err, db.Close())
			}
		}
		if err := errors.Join(b.Commit(o), b.Close()); err != nil {
			return nil, 0, errors.Join(err, db.Close())
		}
	}
	return db, time.Since(start), nil
}

func appendPebble(n int, o *pebble.WriteOptions) harness.Side {
	return func(dir string) (harness.Measure, error) {
		db, took, err := fillPebble(dir, n, o)
		if err != nil {
			return harness.Measure{}, err
		}
		return harness.Measure{Count: n, Took: took}, db.Close()
	}
}

func replayPebble(n int) harness.Side {
	return func(dir string) (harness.Measure, error) {
		db, _, err := fillPebble(dir, n, pebble.NoSync)
		if err != nil {
			return harness.Measure{}, err
		}
		start, read, digest := time.Now(), 0, harness.NewDigest()
		it, err := db.NewIter(nil)
		if err != nil {
			return harness.Measure{}, errors.Join(err, db.Close())
		}
		var ev abi.Event
		for it.First(); it.Valid(); it.Next() {
			if err := abi.DecodeFrame(it.Value(), &ev); err != nil {
				return harness.Measure{}, errors.Join(err, it.Close(), db.Close())
			}
			read++
			digest = digest.Number(binary.BigEndian.Uint64(it.Key())).Number(uint64(len(ev.Data)))
		}
		took := time.Since(start)
		return harness.Measure{Count: read, Took: took, Digest: uint64(digest)}, errors.Join(it.Close(), db.Close())
	}
}
