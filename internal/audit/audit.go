package audit

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// Options say what to check besides the chain itself.
type Options struct {
	Expect *Mark                   // an end of the chain that was kept elsewhere
	Match  func(topic string) bool // nil: not asked. Every such event of the log that lies between the first and the last of the chain must be in it, or be a dead letter
}

// Mark is a place of the chain: its n-th link.
type Mark struct {
	Count int64
	Link  string // SHA-256 in hexadecimal
}

// ParseMark reads "COUNT:LINK".
func ParseMark(s string) (*Mark, error) {
	count, link, _ := strings.Cut(s, ":")
	n, err := strconv.ParseInt(count, 10, 64)
	if _, ok := unhex(link); err != nil || n < 1 || !ok {
		return nil, fmt.Errorf("%q is no link of a chain; write COUNT:LINK, as avxrt verify --audit prints it", s)
	}
	return &Mark{n, strings.ToLower(link)}, nil
}

// Report is what a check found.
type Report struct {
	Entries  int64 // links of the chain
	Whole    int64 // events that are as they were seen
	Redacted int64 // events whose payload was erased since
	Left     int64 // events that retention dropped since
	Gaps     int64 // ranges that the subscriber never saw, as the host told it
	Last     abi.Seq
	Link     string // the last one
	Findings []Finding
}

// Finding is something that is not as it should be.
type Finding struct {
	Entry int64   // of the chain; 0: none
	Seq   abi.Seq // of the log; 0: none
	What  string
}

// String says it in one line.
func (f Finding) String() string {
	where := ""
	if f.Seq != 0 {
		where = fmt.Sprintf("event %d: ", f.Seq)
	}
	if f.Entry != 0 {
		where += fmt.Sprintf("entry %d of the chain: ", f.Entry)
	}
	return where + f.What
}

// maxFindings bounds a report: a chain that is not this log's differs everywhere.
const maxFindings = 1000

// Check reads the chain of a subscriber and the events that it names. The error is not nil
// only where it could not go on, or where there is no chain.
func Check(l *log.Log, subscriber string, opts Options) (Report, error) {
	c := &check{l: l, subscriber: subscriber, opts: opts, seen: map[abi.Seq]bool{}, marks: map[int64][]mark{}}
	if opts.Expect != nil {
		c.marks[opts.Expect.Count] = []mark{{link: opts.Expect.Link, what: "it is not the link that was expected"}}
	}
	snapshot := l.Snapshot()
	defer snapshot.Close()
	versions, err := snapshot.Versions(subscriber)
	if err != nil {
		return c.report, err
	}
	state := snapshot.State(subscriber, versions.Serving)
	head, ok, err := state.Get([]byte("head"))
	switch {
	case err != nil:
		return c.report, err
	case !ok:
		return c.report, fmt.Errorf("subscriber %q keeps no chain here; name the one that runs audit.wasm", subscriber)
	}
	if err := c.readLog(); err != nil {
		return c.report, err
	}
	var failed error
	err = state.Scan([]byte("entry/"), nil, func(key, value []byte) bool {
		failed = c.entry(string(key), string(value))
		return failed == nil && len(c.report.Findings) < maxFindings
	})
	if err := errors.Join(err, failed); err != nil {
		return c.report, err
	}
	c.end(string(head))
	return c.report, c.missed()
}

// check is one check on its way.
type check struct {
	l          *log.Log
	subscriber string
	opts       Options
	redacted   spans // seqs that a redaction names
	retained   spans // seqs that retention names
	marks      map[int64][]mark
	seen       map[abi.Seq]bool // if Match is asked
	prev       digest
	first      abi.Seq
	report     Report
}

// mark is a link that something else than the chain knows of.
type mark struct {
	seq        abi.Seq
	link, what string
}

func (c *check) find(entry int64, seq abi.Seq, format string, args ...any) {
	if len(c.report.Findings) < maxFindings {
		c.report.Findings = append(c.report.Findings, Finding{entry, seq, fmt.Sprintf(format, args...)})
	}
}

// entry checks one row of the chain.
func (c *check) entry(key, value string) error {
	c.report.Entries++
	n := c.report.Entries
	if want := fmt.Sprintf("entry/%020d", n); key != want {
		c.find(n, 0, "the next row is %q: rows were taken out or put in", key)
		c.report.Entries, _ = strconv.ParseInt(strings.TrimLeft(strings.TrimPrefix(key, "entry/"), "0"), 10, 64)
		n = c.report.Entries
	}
	r, ok := parseRow(value)
	if !ok {
		c.find(n, 0, "the row is not what audit writes")
		return nil
	}
	if r.follow(c.prev) != r.link {
		c.find(n, r.seq, "it does not follow from the one before: the chain was changed here")
	}
	c.prev = r.link
	for _, m := range c.marks[n] {
		if m.link != r.link.String() {
			c.find(n, m.seq, "%s", m.what)
		}
	}
	delete(c.marks, n)
	if r.gap {
		c.report.Gaps++
		c.report.Last = max(c.report.Last, r.seq)
		return nil
	}
	return c.event(n, r)
}

// event holds a row against the event that it names.
func (c *check) event(n int64, r row) error {
	if c.first == 0 || r.seq < c.first {
		c.first = r.seq
	}
	c.report.Last = max(c.report.Last, r.seq)
	if c.opts.Match != nil {
		c.seen[r.seq] = true
	}
	ev, err := c.l.Event(r.seq)
	switch {
	case errors.Is(err, log.ErrNotFound) && (r.seq < c.l.First() || c.retained.hold(r.seq)):
		c.report.Left++
		return nil
	case errors.Is(err, log.ErrNotFound):
		c.find(n, r.seq, "it is not in the log, and nothing says that retention dropped it")
		return nil
	case err != nil:
		return err
	}
	payload := payloadOf(&ev)
	switch {
	case metaOf(&ev) != r.meta:
		c.find(n, r.seq, "its topic, key, id, source, content type or times are not what audit saw")
	case payload == r.payload:
		c.report.Whole++
	case len(ev.Data)+len(ev.Headers) == 0 && c.redacted.hold(r.seq):
		c.report.Redacted++
	default:
		c.find(n, r.seq, "its data or headers are not what audit saw")
	}
	return nil
}

// end checks that the chain ends where the subscriber says.
func (c *check) end(head string) {
	c.report.Link = c.prev.String()
	if want := fmt.Sprintf("%d %s", c.report.Entries, c.prev); head != want {
		c.find(c.report.Entries, 0, "the chain ends here, but its head is %q: rows are missing at the end, or the head was changed", head)
	}
	counts := make([]int64, 0, len(c.marks))
	for n := range c.marks {
		counts = append(counts, n)
	}
	slices.Sort(counts)
	for _, n := range counts {
		for _, m := range c.marks[n] {
			c.find(n, m.seq, "the chain does not reach there any more: %s", m.what)
		}
	}
}

// missed looks for events that should be in the chain.
func (c *check) missed() error {
	if c.opts.Match == nil || c.first == 0 {
		return nil
	}
	err := c.l.DeadLetters(c.subscriber, 0, func(d log.DeadLetter) bool {
		c.seen[d.Seq] = true
		return true
	})
	if err != nil {
		return err
	}
	reader := c.l.NewReader(log.ReadOptions{From: c.first, Match: c.opts.Match, Borrow: true})
	defer reader.Close()
	var ev abi.Event
	for reader.Next(&ev) && ev.Seq <= c.report.Last {
		if !c.seen[ev.Seq] {
			c.find(0, ev.Seq, "it is in the log, but audit never saw it")
		}
	}
	return reader.Err()
}
