package log

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
)

// VerifyReport says what a verification read and what was wrong.
type VerifyReport struct {
	From, To abi.Seq // the events that were checked
	Chunks   uint64
	Events   uint64
	Bytes    uint64
	Rows     uint64 // of cursors, state, dead letters and so on
	Damage   []*DamageError
}

// maxDamage bounds the list of a report.
const maxDamage = 1000

// Verify reads the whole store and checks every checksum, the chain of the chunks, that
// events which were erased since have their audit event, and that the rows can be read.
// progress, which may be nil, is told from time to time how far it is. The error is not
// nil only where it could not go on; damage is in the report.
func (l *Log) Verify(ctx context.Context, progress func(at abi.Seq)) (VerifyReport, error) {
	v := newVerifier(l)
	defer v.close()
	head := l.DurableSeq()
	for v.next <= head && len(v.report.Damage) < maxDamage {
		if err := ctx.Err(); err != nil {
			return v.report, err
		}
		v.some(head, verifyPiece)
		if progress != nil {
			progress(v.next - 1)
		}
	}
	v.noteYounger(head)
	v.audit()
	v.rows()
	return v.report, ctx.Err()
}

// verifyPiece is how much the background verification reads at a time.
const verifyPiece = 16 << 20

// verifyAlways is a goroutine of the log: it reads the log again and again, slowly.
func (l *Log) verifyAlways() {
	if l.opts.VerifyEvery < 0 {
		return
	}
	tick := time.NewTicker(l.opts.VerifyEvery)
	defer tick.Stop()
	var v *verifier
	for {
		select {
		case <-tick.C:
		case <-l.closing:
			return
		}
		if v == nil {
			v = newVerifier(l)
		}
		head, told := l.DurableSeq(), len(v.report.Damage)
		v.some(head, verifyPiece)
		v.close() // an iterator that stays open would keep old files
		for _, d := range v.report.Damage[told:] {
			l.damaged(d)
		}
		l.counters.verified.Store(uint64(v.next - 1))
		if v.next > head || len(v.report.Damage) >= maxDamage {
			if v = nil; l.opts.Observer.Verified != nil {
				l.opts.Observer.Verified(head)
			}
		}
	}
}

// verifier walks over the chunks.
type verifier struct {
	l      *Log
	it     *pebble.Iterator
	next   abi.Seq // the seq that must come
	chain  chain   // up to it
	linked bool    // chain is known
	report VerifyReport
	erased []span // chunks that were rewritten
	told   []span // what the audit events say was rewritten
}

// span is a range of seqs.
type span struct{ from, to abi.Seq }

func newVerifier(l *Log) *verifier {
	return &verifier{l: l, next: l.First(), report: VerifyReport{From: l.First()}}
}

func (v *verifier) close() {
	if v.it != nil {
		_ = v.it.Close()
		v.it = nil
	}
}

func (v *verifier) found(from, to abi.Seq, what string) {
	if len(v.report.Damage) < maxDamage {
		v.report.Damage = append(v.report.Damage, &DamageError{
			What: what, From: from, To: to, Remedy: "restore these events from a backup; the others can be read",
		})
	}
}

// some checks about size bytes of chunks up to head.
func (v *verifier) some(head abi.Seq, size int) {
	if v.it == nil && !v.seek() {
		v.next = head + 1
		return
	}
	for ; size > 0 && v.next <= head; v.it.Next() {
		if !v.it.Valid() {
			what := "the end of the log is missing"
			if err := v.it.Error(); err != nil {
				what = "it cannot be read: " + err.Error()
			}
			v.skip(head, what)
			return
		}
		first := chunkKeySeq(v.it.Key())
		if first < v.next && v.next == v.l.First() {
			continue // retention dropped it; the engine has not yet
		}
		if first > v.next {
			v.gap(first)
		}
		value, err := v.it.ValueAndErr()
		if err != nil {
			v.skip(head, "it cannot be read: "+err.Error())
			return
		}
		v.chunk(first, value)
		size -= len(value)
	}
}

// skip goes on behind a place that the engine cannot read: at the next chunk that it can
// find, or at the end.
func (v *verifier) skip(head abi.Seq, what string) {
	from := v.next
	v.linked = false
	v.close()
	for v.next <= head {
		v.next += maxChunkEvents
		if v.seek() && v.it.Valid() {
			v.next = chunkKeySeq(v.it.Key())
			break
		}
		v.close()
	}
	v.next = min(v.next, head+1)
	v.found(from, v.next-1, what)
}

func (v *verifier) seek() bool {
	it, err := v.l.db.NewIter(&pebble.IterOptions{LowerBound: chunkKey(nil, v.next), UpperBound: []byte{spaceChunk + 1}})
	if err != nil {
		v.found(v.next, v.next, err.Error())
		return false
	}
	v.it = it
	it.First()
	return it.Error() == nil
}

// gap is what lies between v.next and first: what retention dropped meanwhile, or a loss.
func (v *verifier) gap(first abi.Seq) {
	if dropped := v.l.First(); v.next < dropped {
		v.next, v.linked = min(dropped, first), false
	}
	if first > v.next {
		v.found(v.next, first-1, "events are missing")
		v.next, v.linked = first, false
	}
}

func (v *verifier) chunk(first abi.Seq, raw []byte) {
	c, err := decodeChunk(first, raw)
	if err != nil {
		v.found(first, first, err.Error())
		v.next, v.linked = first+1, false // its length is not known; the next chunk tells
		return
	}
	if v.linked && c.format != 1 && c.before() != v.chain {
		v.found(first, c.last(), "the chain of the log breaks here: what lies before is not what was written")
	}
	if c.rewritten() {
		v.erased = append(v.erased, span{c.first, c.last()})
	}
	var ev abi.Event
	for i := range c.count {
		if c.dropped(i) {
			continue
		}
		if !c.event(i, &ev) {
			v.found(first, c.last(), "an event does not fit into its chunk")
			break
		}
		v.note(&ev)
		v.report.Events++
	}
	v.chain, v.linked, v.next = c.after(), true, c.last()+1
	v.report.Chunks++
	v.report.Bytes += uint64(len(raw))
	v.report.To = c.last()
}

// note remembers what an audit event says.
func (v *verifier) note(ev *abi.Event) {
	if !isAudit(ev.Topic) {
		return
	}
	var a audit
	if ev.Source == systemSource && json.Unmarshal(ev.Data, &a) == nil {
		v.told = append(v.told, span{a.From, a.To})
	}
}

// noteYounger looks for audit events above head: chunks may have been rewritten since the
// verification began.
func (v *verifier) noteYounger(head abi.Seq) {
	r := v.l.NewReader(ReadOptions{From: head + 1, Borrow: true, Match: isAudit})
	defer r.Close()
	var ev abi.Event
	for r.Next(&ev) {
		v.note(&ev)
	}
}

// audit sees to it that every chunk that was rewritten is named by an audit event.
func (v *verifier) audit() {
	for _, e := range v.erased {
		ok := false
		for _, t := range v.told {
			ok = ok || t.from <= e.to && e.from <= t.to
		}
		if !ok {
			v.found(e.from, e.to, "events were erased without an audit event")
		}
	}
}

// rows reads everything else.
func (v *verifier) rows() {
	it, err := v.l.db.NewIter(&pebble.IterOptions{UpperBound: []byte{spaceChunk}})
	if err != nil {
		v.found(0, 0, err.Error())
		return
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		value, err := it.ValueAndErr()
		if err == nil {
			err = checkRow(it.Key(), value)
		}
		if err != nil {
			v.found(0, 0, fmt.Sprintf("the row %x: %v", it.Key(), err))
		}
		v.report.Rows++
	}
	if err := it.Error(); err != nil {
		v.found(0, 0, "cursors, state or other rows cannot be read: "+err.Error())
	}
}

func checkRow(key, value []byte) (err error) {
	switch key[0] {
	case spaceCursor:
		_, err = decodeCursor(value)
	case spaceDeadLetter:
		_, err = decodeDeadLetter(0, value)
	case spaceParked:
		_, err = decodeParked(value)
	case spaceGeneration:
		_, err = decodeGeneration(0, value)
	case spaceTimer:
		err = checkTimerRow(key, value)
	case spaceLetterMore:
		_, err = decodeLetterMore(value)
	case spaceControl:
		_, err = decodeControl(value)
	case spaceVersion:
		err = checkVersionRow(key, value)
	case spaceProducer:
		_, err = decodeProducer(value)
	case spaceStream:
		_, err = decodeStreamRow(value)
	case spaceIndex:
		if _, _, first, ok := splitIndexKey(key); ok {
			_, err = decodeIndexRow(first, value)
		}
	}
	return err
}
