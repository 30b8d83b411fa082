package delivery

import (
	"strconv"
	"time"

	"github.com/avx-platform/avxrt/abi"
)

// MaxHops is how many subscribers may lie between an event and its root: the figure at
// which AWS Lambda stops loops, generous for honest chains.
const MaxHops = 16

// Hops returns how many subscribers lie between ev and its root. A header that is no
// number counts as 0: only the host writes it.
func Hops(ev *abi.Event) int {
	value, ok := ev.Headers.Get(abi.HeaderHops)
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Stamper gives emits what is the host's to give.
type Stamper struct {
	Subscriber string
	Source     string // /avxrt/<node>
}

// Stamp makes emit the index-th event (from 0) that the handling of cause brought forth.
// Its id depends on nothing but these, so a run that is repeated emits the same ids.
func (s Stamper) Stamp(cause, emit *abi.Event, index int) error {
	return s.StampRun(0, cause, emit, index)
}

// StampRun is [Stamper.Stamp] for an event that was handled before and shall emit again:
// the number of the run, from 1, keeps its ids apart from those of then. It expects no
// version of a stream, because the stream has gone on since.
func (s Stamper) StampRun(run uint64, cause, emit *abi.Event, index int) error {
	emit.ID = s.Subscriber + "-"
	if run != 0 {
		emit.ID += strconv.FormatUint(run, 10) + "-"
		emit.Version = 0
	}
	emit.ID += strconv.FormatUint(uint64(cause.Seq), 10) + "-" + strconv.Itoa(index)
	emit.Source = s.Source
	emit.Kind = abi.KindEvent
	emit.Time = cause.Time
	correlation, ok := cause.Headers.Get(abi.HeaderCorrelation)
	if !ok {
		correlation = cause.ID
	}
	headers := withoutHostHeaders(emit.Headers)
	for _, kv := range [...][2]string{
		{abi.HeaderCorrelation, correlation},
		{abi.HeaderCausation, cause.ID},
		{abi.HeaderHops, strconv.Itoa(Hops(cause) + 1)},
	} {
		var err error
		if headers, err = headers.Append(kv[0], kv[1]); err != nil {
			return err
		}
	}
	emit.Headers = headers
	return nil
}

// withoutHostHeaders drops what a guest may not set. Most emits carry no headers at all.
func withoutHostHeaders(h abi.Headers) abi.Headers {
	var kept abi.Headers
	for k, v := range h.All() {
		switch k {
		case abi.HeaderCorrelation, abi.HeaderCausation, abi.HeaderHops:
			continue
		}
		kept, _ = kept.Append(k, v) // it fitted before
	}
	return kept
}

// maxPause is how long a timer may wait and still count as part of a loop: one that is
// slower than that harms nobody.
const maxPause = time.Second

// Rested makes the event of a timer that waited at least a second the first of a new chain
// of hops; the other headers stay.
func Rested(ev *abi.Event, waited time.Duration) error {
	if waited < maxPause {
		return nil
	}
	var kept abi.Headers
	for k, v := range ev.Headers.All() {
		if k == abi.HeaderHops {
			continue
		}
		var err error
		if kept, err = kept.Append(k, v); err != nil {
			return err
		}
	}
	ev.Headers = kept
	return nil
}
