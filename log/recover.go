package log

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

var (
	metaFormat = append([]byte{spaceMeta}, "format"...)
	metaStore  = append([]byte{spaceMeta}, "store"...)
	metaFirst  = append([]byte{spaceMeta}, "first"...)  // u64: the first seq that retention left
	metaQuiet  = append([]byte{spaceMeta}, "quiet"...)  // u64: groups without events
	metaClosed = append([]byte{spaceMeta}, "closed"...) // u64: the boot that ended with Close
	metaBoot   = append([]byte{spaceMeta}, "boot"...)   // u64: how often the store was opened
)

// storeFormat is the layout that this program writes; it reads format 1 too.
const storeFormat = "2"

// logEnd is where the log ends.
type logEnd struct {
	head     abi.Seq
	appended int64 // time of the last event
	chain    chain
	quiet    uint64
}

func (e logEnd) mark() mark { return mark{seq: e.head, chain: e.chain, quiet: e.quiet} }

// openEngine opens the engine's part of the store. loss is what had to be cut off for it.
func (l *Log) openEngine() (loss *DamageError, err error) {
	_ = l.opts.fs.Remove(l.opts.fs.PathJoin(l.dir, indexFile)) // a crash left it there
	switch loss, err = l.engineGone(); {
	case err != nil:
		return nil, err
	case loss != nil && !l.opts.AcceptLoss:
		return nil, loss
	}
	if l.db, err = pebble.Open(l.dir, l.engine); err == nil {
		return loss, nil
	}
	if !isDamage(err) {
		return nil, err
	}
	if loss, err = l.engineDamage(err); err != nil || !l.opts.AcceptLoss || loss.Remedy != lossRemedy {
		return nil, errors.Join(loss, err)
	}
	l.db, err = pebble.Open(l.dir, l.engine)
	return loss, err
}

// engineGone says whether the head mark is of an engine whose list of files is not there. The
// engine would take the folder for a new one, and delete whatever is still in it.
func (l *Log) engineGone() (*DamageError, error) {
	m, _, err := readMark(l.opts.fs, l.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	d, err := pebble.Peek(l.dir, l.opts.fs)
	if err != nil || d.Exists {
		return nil, err
	}
	return &DamageError{
		What: "the engine's list of its files is missing, so all of the log is", From: 1, To: max(m.seq, 1), Remedy: lossRemedy,
	}, nil
}

// recover reads where the log ends and compares that with the head mark. What is missing
// is an error, unless the operator accepts the loss, which is then returned.
func (l *Log) recover() (end logEnd, loss *DamageError, err error) {
	fresh, loss, err := l.openFormat()
	if err != nil {
		return end, nil, err
	}
	first, err := readUint64(l.db, metaFirst)
	if err != nil {
		return end, nil, err
	}
	l.first.Store(max(first, 1))
	if end, err = readEnd(l.db); err != nil {
		return end, nil, err
	}
	if fresh {
		return end, loss, nil
	}
	loss, err = l.compareMark(end)
	if loss != nil && !l.opts.AcceptLoss {
		return end, nil, loss
	}
	return end, loss, err
}

// openFormat reads the version of the layout, or writes it into a new store together with
// a random identity. It brings a store of format 1 up to date. fresh says that there
// cannot be a mark, but for that of a store of which everything is lost, and the operator
// accepts it.
func (l *Log) openFormat() (fresh bool, loss *DamageError, err error) {
	format, err := readMeta(l.db, metaFormat)
	if err != nil {
		return false, nil, err
	}
	switch format {
	case "":
		if it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceChunk}}); err != nil || it.First() {
			return false, nil, errors.Join(err, it.Close(), damage(1, "there are events, but no format"))
		} else if err := it.Close(); err != nil {
			return false, nil, err
		}
		if loss = l.allGone(); loss != nil && !l.opts.AcceptLoss {
			return false, nil, loss
		}
		l.store = rand.Text()[:20]
		b := l.db.NewBatch()
		defer b.Close()
		_ = b.Set(metaFormat, []byte(storeFormat), nil)
		_ = b.Set(metaStore, []byte(l.store), nil)
		return true, loss, b.Commit(pebble.Sync)
	case "1", storeFormat:
		if l.store, err = readMeta(l.db, metaStore); err != nil {
			return false, nil, err
		}
		l.store = l.store[:min(len(l.store), 20)]
		if format == "1" {
			return true, nil, upgradeV1(l.db)
		}
		return false, nil, nil
	}
	return false, nil, fmt.Errorf("%w: format %q, this program reads formats 1 to %s", ErrFormat, format, storeFormat)
}

// allGone says what is missing from a store that looks like a new one, nil if it is one. The first
// write-ahead log of a store may be all of it for days. Where it is damaged at its first byte, the
// engine reads an empty log; but a mark is only ever written behind the format.
func (l *Log) allGone() *DamageError {
	m, _, err := readMark(l.opts.fs, l.dir)
	switch {
	case errors.Is(err, os.ErrNotExist) || err == nil && m.seq == 0 && m.quiet == 0:
		return nil
	case err != nil:
		return &DamageError{What: "the engine's files hold nothing, and the head mark, the file " + markFile + ": " + err.Error(), Remedy: lossRemedy}
	}
	return &DamageError{What: "the engine's files hold nothing of the log", From: 1, To: max(m.seq, 1), Remedy: lossRemedy}
}

// upgradeV1 drops the stream index of format 1, which is built again from the log in the
// background, and notes that there are no undo records yet. The chunks stay as they are.
func upgradeV1(db *pebble.DB) error {
	end, err := readEnd(db)
	if err != nil {
		return err
	}
	b := db.NewBatch()
	defer b.Close()
	_ = b.DeleteRange([]byte{spaceIndexV1}, []byte{spaceIndexV1 + 1}, nil)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceCursor}, UpperBound: []byte{spaceCursor + 1}})
	if err != nil {
		return err
	}
	owners := []string{""}
	for it.First(); it.Valid(); it.Next() {
		owners = append(owners, string(it.Key()[2:])) // format 1 had no lanes
	}
	for _, owner := range owners {
		_ = b.Set(undoFloorKey(owner), binary.LittleEndian.AppendUint64(nil, uint64(end.head)), nil)
	}
	_ = b.Set(metaFormat, []byte(storeFormat), nil)
	return errors.Join(it.Error(), it.Close(), b.Commit(pebble.Sync))
}

func readMeta(db pebble.Reader, key []byte) (string, error) {
	value, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return string(slices.Clone(value)), closer.Close()
}

// readUint64 returns a number of the meta keyspace, 0 if it is not there.
func readUint64(db pebble.Reader, key []byte) (uint64, error) {
	value, err := readMeta(db, key)
	if err != nil || value == "" {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("%w: the row %q", ErrDamaged, key[1:])
	}
	return binary.LittleEndian.Uint64([]byte(value)), nil
}

// readEnd reads the last chunk.
func readEnd(db pebble.Reader) (end logEnd, err error) {
	if end.quiet, err = readUint64(db, metaQuiet); err != nil {
		return end, err
	}
	it, err := chunkRows(db, math.MaxUint64)
	if err != nil {
		return end, err
	}
	defer it.Close()
	if !it.Last() {
		return end, it.Error()
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return end, err
	}
	c, err := decodeChunk(chunkKeySeq(it.Key()), value)
	if err != nil {
		return end, err
	}
	end.head, end.appended, end.chain = c.last(), c.base+int64(c.count)-1, c.after()
	return end, nil
}

// countBoot gives this opening its number.
func (l *Log) countBoot() error {
	before, err := readUint64(l.db, metaBoot)
	if err != nil {
		return err
	}
	l.boot = before + 1
	closed, err := readUint64(l.db, metaClosed)
	if err != nil {
		return err
	}
	l.clean = before == 0 || closed == before
	return l.db.Set(metaBoot, binary.LittleEndian.AppendUint64(nil, l.boot), pebble.Sync)
}

const lossRemedy = "restore a backup, or open with --accept-loss to go on without what is missing"

// compareMark says what is missing from the store, nil if nothing is.
func (l *Log) compareMark(end logEnd) (*DamageError, error) {
	m, store, err := readMark(l.opts.fs, l.dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if end.head == 0 && end.quiet == 0 {
			return nil, nil // a crash between making the store and its first mark
		}
		return &DamageError{
			What: "the head mark, the file " + markFile + ", is missing, so the end of the log may be too", From: end.head + 1, To: end.head + 1,
			Remedy: lossRemedy,
		}, nil
	case err != nil:
		return &DamageError{What: "the head mark, the file " + markFile + ": " + err.Error(), From: end.head + 1, To: end.head + 1, Remedy: lossRemedy}, nil
	case store != l.store:
		return &DamageError{What: "the head mark belongs to another store, or the engine's files do", Remedy: lossRemedy}, nil
	case m.seq > end.head:
		return &DamageError{What: "the end of the log is missing", From: end.head + 1, To: m.seq, Remedy: lossRemedy}, nil
	case m.quiet > end.quiet:
		return &DamageError{
			What:   fmt.Sprintf("the last %d changes of cursors and state are missing", m.quiet-end.quiet),
			Remedy: lossRemedy,
		}, nil
	}
	return l.compareChain(m)
}

// compareChain says whether the log up to the mark is the one that the mark was made for.
func (l *Log) compareChain(m mark) (*DamageError, error) {
	if m.seq < l.First() {
		return nil, nil
	}
	it, err := chunkRows(l.db, math.MaxUint64)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	wrong := &DamageError{What: "the log is not the one that was written", From: l.First(), To: m.seq, Remedy: lossRemedy}
	if !it.SeekLT(chunkKey(nil, m.seq+1)) {
		return wrong, it.Error()
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return nil, err
	}
	c, err := decodeChunk(chunkKeySeq(it.Key()), value)
	if err != nil {
		return nil, err
	}
	if c.last() != m.seq || c.after() != m.chain {
		return wrong, nil
	}
	return nil, nil
}

// reportLoss tells of a loss that the operator accepted, in the log itself too: a full disk
// does not stop that, since what is left must be readable. Only then the mark is the new one:
// a crash before leaves the loss to be accepted again.
func (l *Log) reportLoss(loss *DamageError) error {
	l.damaged(loss)
	ev, err := systemEvent("$sys.loss", map[string]any{"what": loss.What, "from": loss.From, "to": loss.To})
	if err == nil {
		err = l.submit(l.ctx, &request{events: []abi.Event{ev}, size: stagedSize(&ev), durability: Durable, relieves: true})
	}
	if err != nil {
		close(l.closing)
		<-l.stopped
		return err
	}
	l.marks.hurry()
	return nil
}

func systemEvent(topic string, data any) (abi.Event, error) {
	b, err := json.Marshal(data)
	return abi.Event{Topic: topic, ID: rand.Text(), Source: "/avxrt/log", Data: b}, err
}
