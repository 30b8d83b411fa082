package delivery

import (
	"container/heap"

	"github.com/avx-platform/avxrt/abi"
)

// The bounds of what may wait beside the log. Beyond them the subscription waits where it is.
const (
	MaxParked = 10_000  // keys that are blocked
	MaxPassed = 100_000 // events that were passed over because their key is
)

// Parked is a key that is blocked: one of its events failed and will be tried again, and
// the later ones wait behind it while the cursor goes on. It is what a restart needs to
// know. An event without a key blocks nothing but itself.
type Parked struct {
	Key      string      // "": the event at First has none
	First    abi.Seq     // the event to run next, or the seq from which to look for the next of the key
	Version  abi.Version // of that event in its key's stream; the same
	Attempts int         // that it has used
	Next     int64       // when it may run again, unix ns
	Held     bool        // it became a dead letter, and its key waits for an operator (policy Block)
	Running  bool        // an attempt began, and nobody saw its end
}

// ParkedChange is a row to write with a verdict, or to take out.
type ParkedChange struct {
	Parked
	Gone bool
}

// line is a blocked key and the events behind it. The machine has one for each Parked.
type line struct {
	trial
	key     string
	began   abi.Seq // the event that blocked it
	version abi.Version
	next    int64
	held    bool
	running bool
	foreign bool // the attempt whose end nobody saw was another generation's
	loaded  bool // from the store, so passed is not known
	alone   bool // an emit clashed: one event at a time
	passed  int  // events passed over since it was made
	place   int  // in the heap
}

// lineID tells lines apart.
type lineID struct {
	key string
	seq abi.Seq // where there is no key
}

func (p *Parked) id() lineID {
	if p.Key == "" {
		return lineID{seq: p.First}
	}
	return lineID{key: p.Key}
}

func (l *line) id() lineID {
	if l.key == "" {
		return lineID{seq: l.began}
	}
	return lineID{key: l.key}
}

// done says whether nothing of l is left below the cursor.
func (l *line) done(cursor abi.Seq) bool {
	switch {
	case l.held || l.attempts > 0:
		return false
	case l.key == "":
		return l.seq != l.began
	}
	return l.seq >= cursor || l.passed == 0 && !l.loaded && l.seq != l.began
}

func (l *line) row() ParkedChange {
	return ParkedChange{Parked: Parked{
		Key: l.key, First: l.seq, Version: l.version, Attempts: l.attempts, Next: l.next, Held: l.held, Running: l.running,
	}}
}

// lines are the blocked keys, and in what order they come due.
type lines struct {
	byID   map[lineID]*line
	queue  dueQueue
	passed int
}

func (ls *lines) add(p Parked) *line {
	if ls.byID == nil {
		ls.byID = map[lineID]*line{}
	}
	l := &line{trial: trial{seq: p.First, attempts: p.Attempts}, key: p.Key, began: p.First, version: p.Version, next: p.Next, held: p.Held, running: p.Running}
	ls.byID[p.id()] = l
	heap.Push(&ls.queue, l)
	return l
}

func (ls *lines) remove(l *line) {
	ls.passed -= l.passed
	delete(ls.byID, l.id())
	heap.Remove(&ls.queue, l.place)
}

// wait sets when l is due.
func (ls *lines) wait(l *line, next int64) {
	l.next = next
	heap.Fix(&ls.queue, l.place)
}

// first returns the line that is due next, nil if no line ever is.
func (ls *lines) first() *line {
	if len(ls.queue) == 0 || ls.queue[0].held {
		return nil
	}
	return ls.queue[0]
}

// dueQueue is a heap by time; those that are held come last.
type dueQueue []*line

func (q dueQueue) Len() int { return len(q) }

func (q dueQueue) Less(i, j int) bool {
	if q[i].held != q[j].held {
		return q[j].held
	}
	if q[i].next != q[j].next {
		return q[i].next < q[j].next
	}
	return q[i].seq < q[j].seq
}

func (q dueQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push is heap.Interface's.
func (q *dueQueue) Push(x any) {
	l := x.(*line)
	l.place = len(*q)
	*q = append(*q, l)
}

// Pop is heap.Interface's.
func (q *dueQueue) Pop() any {
	old := *q
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return l
}

// Passing is what the shell shall do with an event that it has read behind the cursor.
type Passing uint8

// The ways.
const (
	Give Passing = iota // to the guest
	Over                // pass it over: its key is blocked, it will run in its turn
	Halt                // end the run before it: too much waits already
)

// Pass says what becomes of an event with this key in a run of the log. An event that is
// passed over counts until its key is free.
func (m *Machine) Pass(key string) Passing {
	if key == "" || len(m.lines.byID) == 0 {
		return Give
	}
	l := m.lines.byID[lineID{key: key}]
	switch {
	case l == nil:
		return Give
	case m.lines.passed >= MaxPassed:
		return Halt
	}
	l.passed++
	m.lines.passed++
	return Over
}

// Mark says which row to write, durably, before the event at seq is run, where the order
// asked for it ([Order.Mark]): if the process does not live to see the end of the run, the
// row is what tells the next one. For an event of the log [Machine.Cursor], which is to be
// written with the row, goes up to it: with another number of lanes, what lies before it may be
// of the lane that has the row at its next start, and that lane begins behind the event.
func (m *Machine) Mark(key string, seq abi.Seq, version abi.Version) ParkedChange {
	if l := m.active; l != nil {
		if l.seq != seq { // it was where to look from
			l.trial, l.version = trial{seq: seq}, version
		}
		row := l.row()
		row.Attempts, row.Running = row.Attempts+1, true
		m.latest = &mark{row.Parked, true, l.running}
		return row
	}
	attempts := 1
	if m.suspect.seq == seq {
		attempts += m.suspect.attempts
	}
	p := Parked{Key: key, First: seq, Version: version, Attempts: attempts, Running: true}
	m.moveTo(seq)
	m.marked = append(m.marked, p)
	m.latest = &mark{p, false, false}
	return ParkedChange{Parked: p}
}

// mark is the row that was written before a run.
type mark struct {
	Parked
	line bool // of a line's event, not of one of the log
	was  bool // Running, of the line's row before
}

// Release lets the key whose event at seq is held go on behind that event, which an
// operator dealt with, and returns the row to write. ok is false if nothing is held there.
func (m *Machine) Release(seq abi.Seq) (change ParkedChange, ok bool) {
	for _, l := range m.lines.byID {
		if l.held && l.seq == seq {
			l.held = false
			l.pass(seq, l.version)
			if l.key == "" {
				m.lines.remove(l)
				return ParkedChange{Parked: Parked{First: seq}, Gone: true}, true
			}
			m.lines.wait(l, 0)
			return l.row(), true
		}
	}
	return ParkedChange{}, false
}

// Awaits says whether the event with this key and seq will still run in its turn: the
// cursor is not behind it, or it waits behind a blocked key. One that is held does not.
func (m *Machine) Awaits(key string, seq abi.Seq) bool {
	if seq >= m.cursor {
		return true
	}
	id := lineID{key: key}
	if key == "" {
		id.seq = seq
	}
	l := m.lines.byID[id]
	return l != nil && l.seq <= seq && !(l.held && l.seq == seq)
}

// pass moves l behind the event at seq.
func (l *line) pass(seq abi.Seq, version abi.Version) {
	l.trial = trial{seq: seq + 1}
	l.version = version + 1
}
