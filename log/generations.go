package log

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// Standing is what became of a generation.
type Standing string

// The standings.
const (
	InService  Standing = "in service"
	OnTrial    Standing = "on trial"    // in service, watched, and not yet what comes back after a restart
	Replaced   Standing = "replaced"    // by a later one
	Refused    Standing = "refused"     // it was never in service
	RolledBack Standing = "rolled back" // it was in service and failed
)

// Generation is one module that ran, or was to run, for one subscriber.
type Generation struct {
	Number   int    // from 1, in the order of the subscriber's generations
	Digest   string // sha256:<64 hex digits> of the module, see [Log.Module]
	Module   string // name of its file
	Cause    string // who brought it: a word of package runtime
	Standing Standing
	Reason   string    // why it was refused or rolled back, or brought; "" where the cause says all
	Seq      abi.Seq   // the cursor when it was offered
	Time     time.Time // to the nanosecond

	StateVersion uint32 // of the state that it runs, or was to run, on; 0 is 1
	Wanted       uint32 // the state version that the manifest asked for then, where that is another one; else 0
}

// Revision changes the history of one subscriber.
type Revision struct {
	Subscriber string

	// Change gets the history, oldest first, and returns what it shall be: it may change
	// standings and reasons of what is there, and add generations with the Number 0, which
	// get the next numbers. It is called while nothing else is appended, so it must not wait.
	Change func(history []Generation) []Generation

	after, gone []Generation
}

// KeptGenerations is how many generations of a subscriber the store remembers. What is
// older is forgotten, with its module where no other generation has the same.
const KeptGenerations = 64

// pieceBytes is how much of a module one row holds: well below the engine's memtable.
const pieceBytes = 256 << 10

// MaxModuleBytes bounds a module that [Log.SaveModule] takes.
const MaxModuleBytes = 32 << 20

func generationKey(dst []byte, subscriber string, number int) []byte {
	return binary.BigEndian.AppendUint64(named(dst, spaceGeneration, subscriber), uint64(number))
}

// modulePrefix begins the keys of the pieces of a module.
func modulePrefix(digest string) ([]byte, error) {
	sum, err := hex.DecodeString(digest[min(len(digest), len("sha256:")):])
	if err != nil || len(sum) != sha256.Size {
		return nil, fmt.Errorf("%q is no digest of a module; write sha256: and 64 hex digits", digest)
	}
	return append([]byte{spaceModule}, sum...), nil
}

func appendGeneration(b []byte, g *Generation) []byte {
	b = appendRowString(append(b, rowVersion), g.Digest)
	b = appendRowString(appendRowString(b, g.Module), g.Cause)
	b = appendRowString(appendRowString(b, string(g.Standing)), g.Reason)
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(g.Seq)), uint64(g.Time.UnixNano()))
	if g.StateVersion > 1 || g.Wanted != 0 { // else the row is as it was before there were versions
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(g.StateVersion)), uint64(g.Wanted))
	}
	return b
}

func decodeGeneration(number int, b []byte) (Generation, error) {
	r := newRowReader(b)
	g := Generation{Number: number, Digest: r.str(), Module: r.str(), Cause: r.str(), Standing: Standing(r.str()), Reason: r.str(), Seq: abi.Seq(r.num())}
	g.Time = time.Unix(0, int64(r.num()))
	if g.StateVersion = 1; r.err == nil && len(r.b) > 0 {
		g.StateVersion, g.Wanted = uint32(r.num()), uint32(r.num())
	}
	return g, r.err
}

// Generations returns the history of a subscriber, oldest first.
func (l *Log) Generations(subscriber string) ([]Generation, error) {
	prefix := named(nil, spaceGeneration, subscriber)
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: successor(prefix)})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var history []Generation
	for it.First(); it.Valid(); it.Next() {
		g, err := decodeGeneration(int(binary.BigEndian.Uint64(it.Key()[len(prefix):])), it.Value())
		if err != nil {
			return nil, fmt.Errorf("%w: generation %d of %q: %v", ErrDamaged, g.Number, subscriber, err)
		}
		history = append(history, g)
	}
	return history, engineError(0, it.Error())
}

// SaveModule keeps the bytes of a module under their digest, which it returns. Bytes that
// are there already are not written again. They are on disk with the first durable change
// that comes after.
func (l *Log) SaveModule(ctx context.Context, wasm []byte) (digest string, err error) {
	sum := sha256.Sum256(wasm)
	digest = "sha256:" + hex.EncodeToString(sum[:])
	prefix, err := modulePrefix(digest)
	if err != nil {
		return "", err
	}
	if len(wasm) == 0 || len(wasm) > MaxModuleBytes {
		return "", fmt.Errorf("a module of %d bytes; 1 to %d are kept", len(wasm), MaxModuleBytes)
	}
	if _, closer, err := l.db.Get(append(prefix, 0, 0, 0, 0)); err == nil {
		return digest, closer.Close()
	} else if !errors.Is(err, pebble.ErrNotFound) {
		return "", engineError(0, err)
	}
	return digest, l.submit(ctx, &request{size: len(wasm), durability: Accepted, apply: func(_ *sequencer, batch *pebble.Batch) error {
		var err error
		n := uint32(0)
		for piece := range slices.Chunk(wasm, pieceBytes) {
			err = errors.Join(err, batch.Set(binary.BigEndian.AppendUint32(prefix[:len(prefix):len(prefix)], n), piece, nil))
			n++
		}
		return err
	}})
}

// Module returns the bytes of a module that [Log.SaveModule] kept, or [ErrNotFound].
func (l *Log) Module(digest string) ([]byte, error) {
	prefix, err := modulePrefix(digest)
	if err != nil {
		return nil, err
	}
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: successor(prefix)})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var wasm []byte
	for it.First(); it.Valid(); it.Next() {
		wasm = append(wasm, it.Value()...)
	}
	if err := it.Error(); err != nil {
		return nil, engineError(0, err)
	}
	if wasm == nil {
		return nil, fmt.Errorf("module %s: %w; the store has forgotten it", digest, ErrNotFound)
	}
	if sum := sha256.Sum256(wasm); "sha256:"+hex.EncodeToString(sum[:]) != digest {
		return nil, fmt.Errorf("%w: the bytes of module %s are not those of its digest", ErrDamaged, digest)
	}
	return wasm, nil
}

// Revise changes the histories of subscribers, all in one durable step, and returns what
// they are afterwards, in the order of the revisions. A generation that is added in service
// or on trial needs its module: without, the answer is [ErrNotFound] and nothing changes.
func (l *Log) Revise(ctx context.Context, revisions ...Revision) ([][]Generation, error) {
	if len(revisions) == 0 {
		return nil, nil
	}
	err := l.submit(ctx, &request{size: 256 * len(revisions), durability: Durable, apply: func(s *sequencer, batch *pebble.Batch) error {
		for i := range revisions {
			if err := s.revise(&revisions[i], batch); err != nil {
				return err
			}
		}
		return s.forgetModules(revisions, batch)
	}})
	if err != nil {
		return nil, err
	}
	histories := make([][]Generation, len(revisions))
	for i := range revisions {
		histories[i] = revisions[i].after
	}
	return histories, nil
}

// revise stages one revision: rows that differ are written, with their before-images.
func (s *sequencer) revise(r *Revision, batch *pebble.Batch) error {
	before, err := s.l.Generations(r.Subscriber)
	if err != nil {
		return err
	}
	last := 0
	for _, g := range before {
		last = max(last, g.Number)
	}
	r.after = r.Change(slices.Clone(before))
	if extra := len(r.after) - KeptGenerations; extra > 0 {
		r.gone, r.after = r.after[:extra], r.after[extra:]
	}
	record := &change{s: s, owner: r.Subscriber, batch: batch}
	for _, g := range r.gone {
		record.remove(generationKey(nil, r.Subscriber, g.Number))
	}
	for i := range r.after {
		g := &r.after[i]
		if slices.Contains(before, *g) {
			continue
		}
		if g.Number == 0 {
			last++
			g.Number, g.Time = last, s.l.opts.now()
			if err := s.checkModule(g); err != nil {
				return err
			}
		}
		record.set(generationKey(nil, r.Subscriber, g.Number), appendGeneration(nil, g))
	}
	if len(record.writes) == 0 {
		return nil
	}
	return record.finish()
}

// checkModule refuses a generation that could not be started again.
func (s *sequencer) checkModule(g *Generation) error {
	prefix, err := modulePrefix(g.Digest)
	if err != nil || g.Standing != InService && g.Standing != OnTrial {
		return err
	}
	_, closer, err := s.l.db.Get(binary.BigEndian.AppendUint32(prefix, 0))
	if errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("module %s: %w; save it before its generation", g.Digest, ErrNotFound)
	}
	if err != nil {
		return err
	}
	return closer.Close()
}

// forgetModules drops the modules of generations that are gone, where no other one has
// them. The bytes of a module have no before-images: a fork that goes back over so many
// generations, or behind the end of a subscriber, runs what the plugins folder has.
func (s *sequencer) forgetModules(revisions []Revision, batch *pebble.Batch) error {
	var kept map[string]bool
	for i := range revisions {
		for _, g := range revisions[i].gone {
			if kept == nil {
				var err error
				if kept, err = s.usedModules(revisions); err != nil {
					return err
				}
			}
			prefix, err := modulePrefix(g.Digest)
			if err != nil {
				return err
			}
			if !kept[g.Digest] {
				_ = batch.DeleteRange(prefix, successor(prefix), nil)
			}
		}
	}
	return nil
}

// usedModules returns the digests of all generations as they will be after the revisions.
func (s *sequencer) usedModules(revisions []Revision) (map[string]bool, error) {
	used, revised := map[string]bool{}, map[string]bool{}
	for i := range revisions {
		revised[revisions[i].Subscriber] = true
		for _, g := range revisions[i].after {
			used[g.Digest] = true
		}
	}
	it, err := s.l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceGeneration}, UpperBound: []byte{spaceGeneration + 1}})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		name := string(it.Key()[2 : 2+int(it.Key()[1])])
		if revised[name] {
			continue
		}
		g, err := decodeGeneration(0, it.Value())
		if err != nil {
			return nil, fmt.Errorf("%w: a generation of %q: %v", ErrDamaged, name, err)
		}
		used[g.Digest] = true
	}
	return used, it.Error()
}
