package routerarea

import (
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avx-platform/avxrt/bench/peers/harness"
)

// size is how much is done.
type size struct {
	long   time.Duration // of each run of each side
	warm   int           // topics matched before the clock runs
	unique int           // topics of router/unique-100k
}

var (
	full  = size{long: time.Second, warm: 65536, unique: 1_000_000}
	brief = size{long: 60 * time.Millisecond, warm: 2048, unique: 60_000}
)

const million = 1_000_000

// Cases are the comparisons of the area; quick means shorter runs, and at a million
// subscriptions, where filling takes most of the time, the two strongest rivals alone.
func Cases(quick bool) []harness.Case {
	z := full
	if quick {
		z = brief
	}
	var out []harness.Case
	add := func(name string, ours maker, rivals []maker, w *shelf, topics func() []string, once bool) {
		for _, rival := range rivals {
			c := &matching{name: name, ours: ours, rival: rival, shelf: w, topics: topics, size: z, once: once}
			out = append(out, c.harness())
		}
	}
	batch := func(name string, rival maker, w *shelf, topics func() []string, once bool) {
		c := &matching{name: name, ours: us, rival: rival, shelf: w, topics: topics, size: z, once: once}
		out = append(out, c.batching())
	}
	fixture := &shelf{patterns: natsFixture}
	add("router/hot", us, allRivals, fixture, copies, false)
	add("router/hot-handle", usHandle, []maker{nats}, fixture, copies, false)
	out = append(out, parallel(fixture, copies, z))
	hundred := &shelf{patterns: func() []string { return mixed(100_000) }}
	add("router/unique-100k", us, allRivals, hundred, func() []string { return never(z.unique, 100_000) }, true)
	for _, rival := range []maker{nats, natsPlain} {
		batch("router/unique-100k-batch", rival, hundred, func() []string { return never(z.unique, 100_000) }, true)
	}
	for _, rival := range allRivals {
		out = append(out, churning(rival, z))
	}
	out = append(out, buses(z)...)
	literal := &shelf{patterns: func() []string { return texts(million, order) }}
	mix := &shelf{patterns: func() []string { return mixed(million) }}
	rivals := allRivals
	if quick {
		rivals = []maker{natsPlain, gslMaker}
	}
	for _, rival := range rivals { // by rival, so that no two of them lie in memory together
		one := []maker{rival}
		add("router/uniform-1m", us, one, literal, func() []string { return draw(65536, million, false, order) }, false)
		add("router/zipf-1m", us, one, literal, func() []string { return draw(65536, million, true, order) }, false)
		batch("router/uniform-1m-batch", rival, literal, func() []string { return draw(65536, million, false, order) }, false)
		if !quick {
			add("router/uniform-1m-mixed", us, one, mix, func() []string { return draw(65536, million, false, thing) }, false)
			add("router/zipf-1m-mixed", us, one, mix, func() []string { return draw(65536, million, true, thing) }, false)
			add("router/uniform-1m-nocache", usUncached, one, literal, func() []string { return draw(65536, million, false, order) }, false)
		}
	}
	return out
}

const hotTopic = "synadia.nats.jetstream.nkeys"

// copies is one topic in several places of memory, as it comes with messages: no side finds
// it by its address.
func copies() []string {
	return texts(8, func(int) string { return strings.Clone(hotTopic) })
}

// shelf keeps what was filled last, ours and one rival, since neighbouring cases share it.
type shelf struct {
	patterns func() []string
	have     map[string]matcher
}

// filled returns a matcher with the patterns of the shelf. Of the rivals it keeps one.
func (s *shelf) filled(m maker, rival bool) (matcher, error) {
	if have, ok := s.have[m.name]; ok {
		return have, nil
	}
	if s.have == nil {
		s.have = map[string]matcher{}
	}
	if rival {
		for name := range s.have {
			if !strings.HasPrefix(name, us.name) {
				delete(s.have, name)
			}
		}
	}
	made := m.make()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // or filling is mostly collecting what stays
	for i, p := range s.patterns() {
		if _, err := made.add(m.spelling.Replace(p), i); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", m.name, p, err)
		}
	}
	s.have[m.name] = made
	return made, nil
}

// matching is one topic after the other.
type matching struct {
	name        string
	ours, rival maker
	shelf       *shelf
	topics      func() []string
	size        size
	once        bool // each topic once, rather than for a set time

	mine, theirs           matcher
	myTopics, theirsTopics []string
}

func (c *matching) harness() harness.Case {
	return harness.Case{
		Name: c.name, Rival: c.rival.name, Unit: harness.Nanos, Timed: !c.once, Check: c.check,
		Ours:   func(string) (harness.Measure, error) { return c.run(c.mine, c.myTopics), nil },
		Theirs: func(string) (harness.Measure, error) { return c.run(c.theirs, c.theirsTopics), nil },
		Close: func() error {
			c.mine, c.theirs, c.myTopics, c.theirsTopics = nil, nil, nil, nil
			return nil
		},
	}
}

// check fills both sides and compares what each topic finds.
func (c *matching) check(string) (err error) {
	if c.mine, err = c.shelf.filled(c.ours, false); err != nil {
		return err
	}
	if c.theirs, err = c.shelf.filled(c.rival, true); err != nil {
		return err
	}
	c.myTopics = c.topics()
	c.theirsTopics = respell(c.rival, c.myTopics)
	return c.same()
}

// respell spells the topics as m wants them, the same ones in the same memory.
func respell(m maker, topics []string) []string {
	if m.spelling == natsSpelling {
		return topics
	}
	have := map[string]string{}
	return texts(len(topics), func(i int) string {
		t := topics[i]
		if _, ok := have[t]; !ok {
			have[t] = m.spelling.Replace(t)
		}
		return have[t]
	})
}

// same compares the results of up to 20,000 topics.
func (c *matching) same() error {
	found := 0
	for i := 0; i < len(c.myTopics) && i < 20_000; i++ {
		sum, n := c.mine.match(c.myTopics[i])
		if theirSum, theirN := c.theirs.match(c.theirsTopics[i]); sum != theirSum || n != theirN {
			return fmt.Errorf("%s: ours finds %d with the sum %d, theirs %d with %d", c.myTopics[i], n, sum, theirN, theirSum)
		}
		found += n
	}
	if found == 0 {
		return fmt.Errorf("no topic finds anything")
	}
	return nil
}

func (c *matching) run(m matcher, topics []string) harness.Measure {
	if c.once {
		return each(m, topics)
	}
	return during(m, topics, c.size.long, c.size.warm)
}

// each matches every topic once; the results are the digest.
func each(m matcher, topics []string) harness.Measure {
	d, total := harness.NewDigest(), 0
	start := time.Now()
	for _, t := range topics {
		sum, _ := m.match(t)
		total += sum
	}
	took := time.Since(start)
	return harness.Measure{Count: len(topics), Took: took, Digest: uint64(d.Number(uint64(total)))}
}

// during matches topics for a set time. It looks at the clock once for 256 of them.
func during(m matcher, topics []string, long time.Duration, warm int) harness.Measure {
	for i := range warm { // so that neither first answers nor an empty cache are on the clock
		sum, _ := m.match(topics[i%len(topics)])
		sink.Add(int64(sum))
	}
	count, sum, i := 0, 0, 0
	start := time.Now()
	for time.Since(start) < long {
		for range 256 {
			s, _ := m.match(topics[i])
			sum += s
			if i++; i == len(topics) {
				i = 0
			}
		}
		count += 256
	}
	took := time.Since(start)
	sink.Add(int64(sum))
	return harness.Measure{Count: count, Took: took}
}

// batchSize is that of a batch of topics: what the log writes as one group is of this order.
const batchSize = 256

// batching has our side match batches; no rival has any.
func (c *matching) batching() harness.Case {
	h := c.harness()
	h.Ours = func(string) (harness.Measure, error) {
		if c.once {
			return eachBatch(c.mine.(*ours), c.myTopics), nil
		}
		return duringBatches(c.mine.(*ours), c.myTopics, c.size), nil
	}
	return h
}

// eachBatch is each, by batches.
func eachBatch(o *ours, topics []string) harness.Measure {
	d, total := harness.NewDigest(), 0
	start := time.Now()
	for at := 0; at < len(topics); at += batchSize {
		sum, _ := o.batch(topics[at:min(at+batchSize, len(topics))])
		total += sum
	}
	took := time.Since(start)
	return harness.Measure{Count: len(topics), Took: took, Digest: uint64(d.Number(uint64(total)))}
}

func duringBatches(o *ours, topics []string, z size) harness.Measure {
	for i := 0; i+batchSize <= z.warm; i += batchSize {
		o.batch(topics[i : i+batchSize])
	}
	count, sum, i := 0, 0, 0
	start := time.Now()
	for time.Since(start) < z.long {
		s, _ := o.batch(topics[i : i+batchSize])
		sum += s
		count += batchSize
		if i += batchSize; i == len(topics) {
			i = 0
		}
	}
	took := time.Since(start)
	sink.Add(int64(sum))
	return harness.Measure{Count: count, Took: took}
}

// parallel is router/hot by two goroutines at once; the figure is the time of one match in
// one of them.
func parallel(w *shelf, topics func() []string, z size) harness.Case {
	c := &matching{name: "router/hot-parallel", ours: us, rival: nats, shelf: w, topics: topics, size: z}
	h := c.harness()
	both := func(m *matcher, topics *[]string) harness.Side {
		return func(string) (harness.Measure, error) {
			var wg sync.WaitGroup
			var out [2]harness.Measure
			for i := range out {
				wg.Go(func() { out[i] = during(*m, *topics, z.long, z.warm) })
			}
			wg.Wait()
			return harness.Measure{Count: out[0].Count + out[1].Count, Took: out[0].Took + out[1].Took}, nil
		}
	}
	h.Ours, h.Theirs = both(&c.mine, &c.myTopics), both(&c.theirs, &c.theirsTopics)
	return h
}

// sink keeps the compiler from dropping what is measured.
var sink atomic.Int64

// churning matches while another goroutine subscribes and unsubscribes as fast as it can.
func churning(rival maker, z size) harness.Case {
	patterns := mixed(10_000)
	topics := draw(65536, 10_000, true, thing)
	side := func(m maker) harness.Side {
		mine := respell(m, topics)
		return func(string) (harness.Measure, error) {
			made := m.make()
			for i, p := range patterns {
				if _, err := made.add(m.spelling.Replace(p), i); err != nil {
					return harness.Measure{}, err
				}
			}
			return whileChanging(made, m, mine, z)
		}
	}
	return harness.Case{Name: "router/churn", Rival: rival.name, Unit: harness.Nanos, Timed: true, Ours: side(us), Theirs: side(rival)}
}

func whileChanging(made matcher, m maker, topics []string, z size) (measure harness.Measure, err error) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	coming := texts(1000, func(i int) string { return m.spelling.Replace(fmt.Sprintf("area%d.new%d.*", i%100, i)) })
	wg.Go(func() {
		for i := 0; !stop.Load(); i++ {
			var remove func()
			if remove, err = made.add(coming[i%len(coming)], i); err != nil {
				return
			}
			remove()
		}
	})
	measure = during(made, topics, z.long, z.warm)
	stop.Store(true)
	wg.Wait()
	return measure, err
}
