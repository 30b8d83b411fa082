package runtime

import (
	"sync"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// probe finds the first event behind a subscriber's cursor that concerns it. It remembers
// how far it looked, so that a subscriber that is paused, and wants little, costs a look at
// what is new and no more.
type probe struct {
	sync.Mutex
	gen      *generation
	next     abi.Seq // from the cursor to below here nothing concerns it
	from     abi.Seq // the cursor of then
	found    abi.Seq // 0: none yet
	appended int64
}

// probeTime bounds one look: what is beyond is looked at by the next one.
const probeTime = 10 * time.Millisecond

// lag fills in how far s is behind.
func (s *subscription) lag(st *SubscriberStatus) {
	head := s.r.store.Head()
	first := int64(0)
	if st.BlockedKeys > 0 {
		if ev, err := s.r.store.Event(st.Needs); err == nil {
			first = ev.Appended
		}
	}
	if st.Cursor <= head {
		appended, none := s.behind.look(s, st.Cursor, head)
		if !none {
			st.LagEvents = uint64(head - st.Cursor + 1)
		}
		if first == 0 {
			first = appended
		}
	}
	if first != 0 {
		st.LagSeconds = time.Since(time.Unix(0, first)).Seconds()
	}
}

// look returns when the first event that s wants, from cursor on, was appended; 0 if it was
// not found. none says that there is none up to head.
func (p *probe) look(s *subscription, cursor, head abi.Seq) (appended int64, none bool) {
	gen := s.latest()
	p.Lock()
	defer p.Unlock()
	if p.gen != gen || cursor < p.from {
		p.gen, p.next, p.found = gen, cursor, 0
	}
	p.from = cursor
	if p.found != 0 && p.found >= cursor {
		return p.appended, false
	}
	p.found, p.next = 0, max(p.next, cursor)
	until := time.Now().Add(probeTime)
	late := func(topic string) bool { return gen.match(topic) || time.Now().After(until) }
	reader := s.r.store.NewReader(log.ReadOptions{From: p.next, Borrow: true, Match: late})
	defer reader.Close()
	var ev abi.Event
	for reader.Next(&ev) {
		p.next = ev.Seq + 1
		if s.mine(&ev) && gen.match(ev.Topic) {
			p.found, p.appended = ev.Seq, ev.Appended
			return p.appended, false
		}
		if time.Now().After(until) {
			return 0, false
		}
	}
	p.next = max(p.next, reader.Position())
	return 0, reader.Err() == nil && p.next > head
}
