package delivery_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
)

// fate is what a simulated guest does with an event, each time it gets it.
type fate int

const (
	fine    fate = iota
	flaky        // traps the first time
	rejects      // for good
	traps        // each time
	hangs        // each time
	skips        //
	asks         // for a retry, until its tries are enough
	clashes      // an emit of it expects another version, once
	kills        // the process, each time
	stale        // hangs until a new generation comes
	slow         // goes well and takes so long that the run ends behind it
	fates
)

const simulatedEvents = 60

// bug is a planted one: the machine as it would be if somebody had got it wrong.
type bug struct {
	name    string
	order   func(*delivery.Order)
	verdict func(*delivery.Verdict)
	pass    func(delivery.Passing) delivery.Passing
	mark    func(*delivery.ParkedChange) bool
	start   func(*delivery.Start)
	adopt   func(*world) *delivery.Machine // instead of Machine.Adopt, at a swap on trial
	slow    func(*delivery.Outcome)        // of a run that a slow event ended
	resume  func(*world) *delivery.Machine // instead of Machine.Adopt, when an operator resumes
	reset   func(*world) *delivery.Machine // instead of New, after a reset
	keeps   bool                           // a reset leaves blocked keys blocked
	ahead   bool                           // a marked event's cursor is not written
	counts  bool                           // a refused run counts as one that ended the process
}

// world is the log, the store, the guest, the operator and the clock of a simulation.
type world struct {
	rng    *rand.Rand
	policy delivery.Policy
	bug    bug
	m      *delivery.Machine
	now    int64
	end    abi.Seq // events below are in the log

	fates   [simulatedEvents + 1]fate
	keys    [simulatedEvents + 1]string
	needs   [simulatedEvents + 1]int // tries, of those that ask
	tries   [simulatedEvents + 1]int
	killed  [simulatedEvents + 1]int // ends of the process by it
	undone  [simulatedEvents + 1]int // tries whose run was lost, with the process or a refused commit
	refused [simulatedEvents + 1]int // of those, with a commit that a fence refused
	deaths  int                      // of the process
	mended  bool                     // a new generation is in service
	resets  int

	cursor  abi.Seq // what the store holds
	parked  map[string]delivery.Parked
	settled map[abi.Seq]string
	letters map[abi.Seq]bool

	generation int
	swap       swap
	story      []string
}

func newWorld(seed uint64, b bug) *world {
	rng := rand.New(rand.NewPCG(seed, 0))
	policies := []delivery.Poison{delivery.Park, delivery.Park, delivery.Block, delivery.Skip}
	w := &world{
		rng: rng, bug: b, now: int64(400_000 * time.Hour), cursor: 1, end: 1, parked: map[string]delivery.Parked{}, settled: map[abi.Seq]string{}, letters: map[abi.Seq]bool{},
		policy: delivery.Policy{Attempts: 1 + rng.IntN(5), Batch: 1 + rng.IntN(12), OnPoison: policies[rng.IntN(len(policies))], Seed: seed},
	}
	for i := range w.fates {
		if rng.IntN(3) == 0 {
			w.fates[i] = fate(rng.IntN(int(fates)))
		}
		if n := rng.IntN(6); n > 0 {
			w.keys[i] = fmt.Sprint("k", n)
		}
		w.needs[i] = 1 + rng.IntN(w.policy.Attempts)
	}
	w.begin(rng.IntN(2) == 0)
	return w
}

// begin makes the machine from what the store holds, as a start of the process does.
func (w *world) begin(careful bool) {
	start := w.stored()
	start.Careful = careful
	w.deaths++
	if w.bug.start != nil {
		w.bug.start(&start)
	}
	w.m = delivery.New(w.policy, start)
	w.watch()
}

func (w *world) stored() delivery.Start {
	s := delivery.Start{Cursor: w.cursor}
	for _, p := range w.parked {
		s.Parked = append(s.Parked, p)
	}
	slices.SortFunc(s.Parked, func(a, b delivery.Parked) int { return int(a.First) - int(b.First) })
	return s
}

func (w *world) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...))
}

// simulate runs one subscription over events with random fates, with crashes, refused
// commits, new generations, an operator and jumps of the clock in between, and returns
// which promise was broken, "" if none. The events of plain are handled without a hitch.
func simulate(seed uint64, b bug, plain ...abi.Seq) (problem string, story []string) {
	w := newWorld(seed, b)
	for _, seq := range plain {
		w.fates[seq] = fine
	}
	for step := 0; ; step++ {
		if step > 400*simulatedEvents {
			return fmt.Sprintf("no end in sight at event %d", w.cursor), w.story
		}
		done, problem := w.step()
		if problem != "" {
			return problem, w.story
		}
		if done {
			return w.judge(), w.story
		}
	}
}

// step is one thing that happens.
func (w *world) step() (done bool, problem string) {
	switch n := w.rng.IntN(40); {
	case n < 8 && w.end <= simulatedEvents:
		w.end = min(w.end+abi.Seq(1+w.rng.IntN(20)), simulatedEvents+1)
	case n == 8:
		w.tell("the process dies between runs")
		w.begin(true)
	case n == 9 && !w.mended && w.rng.IntN(4) == 0:
		w.adopt()
	case n == 10:
		w.jump()
	case n == 11:
		return false, w.operate()
	case n == 12 && w.swap.left == 0 && w.rng.IntN(3) == 0:
		w.try()
	}
	w.watch()
	if v, ok := w.m.Condemned(w.now); ok {
		w.tell("condemned: %s", printVerdict(v))
		if problem := w.onTrial(v, delivery.Outcome{}); problem != "" {
			return false, problem
		}
		problem := w.commit(v, nil)
		for _, c := range v.Parked {
			if v.RollBack != "" {
				w.killed[c.First] = 0 // the generation that goes did it
			}
		}
		w.swapBack(v)
		return false, problem
	}
	return w.run()
}

func (w *world) adopt() {
	w.generation++
	w.mended, w.swap = true, swap{}
	w.tell("a new generation")
	w.m.Adopt(w.policy)
}

// release is the operator's: he drops one dead letter whose key waits for it.
func (w *world) release() string {
	for _, p := range w.stored().Parked {
		if !p.Held || !w.letters[p.First] {
			continue
		}
		change, ok := w.m.Release(p.First)
		if !ok {
			return fmt.Sprintf("event %d is held in the store, and the machine does not know", p.First)
		}
		w.tell("the operator releases %d", p.First)
		w.apply(change)
		delete(w.letters, p.First)
		return ""
	}
	return ""
}

// run asks the machine for an order and carries it out.
func (w *world) run() (done bool, problem string) {
	order := w.m.Begin(w.now)
	if w.bug.order != nil {
		w.bug.order(&order)
	}
	if problem := w.patience(order); problem != "" {
		return false, problem
	}
	if !order.Run {
		switch {
		case order.Wake > w.now:
			w.now = order.Wake
		case w.m.Stopped() != "" && !w.mended:
			w.adopt()
		case w.m.Stopped() != "":
			return false, "stopped: " + w.m.Stopped()
		}
		return false, ""
	}
	w.tell("%s", strings.TrimSpace(printOrder(order)))
	r := w.read(order)
	if len(r.given) == 0 && r.outcome.Failure == nil && !order.Line {
		w.m.Finish(w.now, r.outcome)
		if keys, _ := w.m.Waiting(); keys == 0 && w.end > simulatedEvents && w.m.Cursor() == w.end {
			w.cursor = w.m.Cursor()
			return true, ""
		}
		if waits := slices.ContainsFunc(w.stored().Parked, func(p delivery.Parked) bool { return !p.Held && !p.Running }); waits && order.Wake == 0 {
			return false, "a blocked key waits, and nobody is to wake for it"
		}
		w.hold()
		if order.Wake > w.now {
			w.now = order.Wake
		}
		return false, ""
	}
	if r.dead {
		killer := r.given[len(r.given)-1]
		w.tell("the process dies at %d", killer)
		// The first time nobody knew that it was to be marked.
		if w.killed[killer]++; w.killed[killer] > w.policy.Attempts+1 {
			return false, fmt.Sprintf("event %d ended the process %d times, %d are allowed", killer, w.killed[killer], w.policy.Attempts+1)
		}
		w.lose(r.given)
		w.begin(true)
		return false, ""
	}
	verdict := w.m.Finish(w.now, r.outcome)
	if w.bug.verdict != nil {
		w.bug.verdict(&verdict)
	}
	w.now += int64(time.Millisecond)
	switch n := w.rng.IntN(20); {
	case r.clash != 0:
		return false, w.clash(r)
	case n == 0: // a fence: nothing of it happened
		return false, w.refuse(r.given)
	case n == 1:
		w.tell("the process dies before the commit")
		w.lose(r.given)
		w.begin(true)
		return false, ""
	}
	return false, w.accept(verdict, r)
}

// accept commits what a run came to.
func (w *world) accept(verdict delivery.Verdict, r result) string {
	w.tell("%s", strings.TrimSpace(printVerdict(verdict)))
	if problem := w.onTrial(verdict, r.outcome); problem != "" {
		return problem
	}
	problem := w.commit(verdict, r.handled)
	w.wentWell(len(r.handled))
	w.swapBack(verdict)
	return problem
}

// hold drops a dead letter that everything waits for.
func (w *world) hold() {
	if w.end > simulatedEvents {
		_ = w.release()
	}
}

// refuse lets nothing of a run happen.
func (w *world) refuse(given []abi.Seq) string {
	w.tell("the commit is refused")
	w.lose(given)
	for _, seq := range given {
		w.refused[seq]++
	}
	for _, c := range w.m.Refused(w.stored()) {
		if !w.bug.counts {
			w.apply(c)
		}
	}
	return w.complete()
}

// lose takes back the tries of a run that left nothing behind.
func (w *world) lose(given []abi.Seq) {
	for _, seq := range given {
		w.undone[seq]++
	}
}

func (w *world) clash(r result) string {
	w.tell("an emit of %d clashes", r.clash)
	w.lose(r.given)
	v := w.m.Clash(w.now, w.stored(), delivery.Failure{Seq: r.clash, Key: w.keys[r.clash], Version: w.version(r.clash), Message: "conflict"})
	if problem := w.onTrial(v, delivery.Outcome{Failure: &delivery.Failure{Seq: r.clash, Kind: delivery.Clashed}}); problem != "" {
		return problem
	}
	problem := ""
	if v.Letter != nil || len(v.Parked) > 0 || v.To > w.cursor {
		problem = w.commit(v, nil)
	}
	w.swapBack(v)
	return problem
}

// version is that of an event in the stream of its key: how many lie before it, and 1.
func (w *world) version(seq abi.Seq) abi.Version {
	n := abi.Version(0)
	for i := abi.Seq(1); i <= seq; i++ {
		if w.keys[i] == w.keys[seq] {
			n++
		}
	}
	return n
}

// result is how a run went.
type result struct {
	outcome        delivery.Outcome
	given, handled []abi.Seq
	clash          abi.Seq // the event whose emit clashes with the commit
	dead           bool
}

// read gives the events of the order to the guest, as the shell does.
func (w *world) read(o delivery.Order) (r result) {
	seq, limit := o.From, w.end
	if o.Before != 0 {
		limit = min(limit, o.Before)
	}
	for ; seq < limit && len(r.given) < o.Max; seq++ {
		if o.Line && (o.Key == "" && seq != o.From || o.Key != "" && (w.keys[seq] != o.Key || w.version(seq) < o.Version)) {
			continue
		}
		if !o.Line {
			pass := w.m.Pass(w.keys[seq])
			if w.bug.pass != nil {
				pass = w.bug.pass(pass)
			}
			if pass == delivery.Over {
				continue
			}
		}
		if o.Mark && len(r.given) == 0 {
			row := w.m.Mark(w.keys[seq], seq, w.version(seq))
			if w.bug.mark == nil || w.bug.mark(&row) {
				w.apply(row)
			}
			if !w.bug.ahead {
				w.cursor = w.m.Cursor()
			}
		}
		r.given = append(r.given, seq)
		w.tries[seq]++
		f := w.fail(seq, len(r.handled))
		switch {
		case w.fates[seq] == kills && !w.mended:
			r.dead = true
			return r
		case w.fates[seq] == clashes && w.tries[seq]-w.undone[seq] == 1 && w.undone[seq] == 0:
			r.clash = seq
		}
		if f != nil {
			f.Seq, f.Key, f.Version = seq, w.keys[seq], w.version(seq)
			r.outcome = delivery.Outcome{Handled: len(r.handled), Reached: seq, Version: f.Version, Failure: f}
			return r
		}
		r.handled = append(r.handled, seq)
		if w.fates[seq] == slow { // the time of the run is over
			w.now += int64(w.rng.IntN(30)) * int64(time.Second)
			r.outcome = delivery.Outcome{Handled: len(r.handled), Reached: seq + 1, Version: w.version(seq) + 1}
			if w.bug.slow != nil {
				w.bug.slow(&r.outcome)
			}
			return r
		}
	}
	r.outcome = delivery.Outcome{Handled: len(r.handled), Reached: seq}
	if o.Line {
		switch {
		case o.Key == "" || seq >= limit:
			r.outcome.Reached = limit
		case len(r.handled) > 0:
			r.outcome.Version = w.version(r.handled[len(r.handled)-1]) + 1
		}
	}
	return r
}

func (w *world) fail(seq abi.Seq, handled int) *delivery.Failure {
	if f := w.badly(seq, handled); f != nil {
		return f
	}
	tries := w.tries[seq] - w.undone[seq]
	switch w.fates[seq] {
	case flaky:
		if tries > 1 {
			return nil
		}
		return &delivery.Failure{Kind: delivery.Trapped, Message: "flaky"}
	case rejects:
		return &delivery.Failure{Code: abi.FailReject, Message: "no"}
	case traps:
		return &delivery.Failure{Kind: delivery.Trapped, Message: "unreachable"}
	case hangs:
		return &delivery.Failure{Kind: delivery.TimedOut, Message: "too long"}
	case stale:
		if w.mended {
			return nil
		}
		return &delivery.Failure{Kind: delivery.TimedOut, Message: "too long"}
	case skips:
		return &delivery.Failure{Code: abi.FailSkip}
	case asks:
		if tries >= w.needs[seq] {
			return nil
		}
		return &delivery.Failure{Code: abi.FailRetry, Message: "later"}
	}
	return nil
}

func rowID(p delivery.Parked) string {
	if p.Key == "" {
		return fmt.Sprint("seq ", p.First)
	}
	return "key " + p.Key
}

func (w *world) apply(c delivery.ParkedChange) {
	if c.Gone {
		delete(w.parked, rowID(c.Parked))
		return
	}
	w.parked[rowID(c.Parked)] = c.Parked
}

// commit applies a verdict and checks that it accounts for every event: each is settled
// once, in the order of its key, and the cursor passes none that is neither settled nor
// waiting behind a blocked one.
func (w *world) commit(v delivery.Verdict, handled []abi.Seq) string {
	for _, c := range v.Parked {
		w.apply(c)
	}
	for _, seq := range handled {
		if problem := w.settle(seq, "handled"); problem != "" {
			return problem
		}
	}
	if v.Letter != nil {
		w.letters[v.Letter.Seq] = true
		if seq := v.Letter.Seq; v.Letter.Reason == "killed" && w.tries[seq]-w.refused[seq] < v.Letter.Attempts {
			return fmt.Sprintf("event %d is said to have ended the process in %d attempts, of %d of which %d were refused", seq, v.Letter.Attempts, w.tries[seq], w.refused[seq])
		}
		if problem := w.settle(v.Letter.Seq, v.Letter.Reason); problem != "" {
			return problem
		}
	}
	if v.Skipped != 0 {
		if problem := w.settle(v.Skipped, "skipped"); problem != "" {
			return problem
		}
	}
	if v.To < w.cursor {
		return fmt.Sprintf("the cursor went back from %d to %d", w.cursor, v.To)
	}
	if v.To > simulatedEvents+1 {
		return fmt.Sprintf("the cursor went to %d, the log ends at %d", v.To, simulatedEvents)
	}
	w.cursor = v.To
	return w.complete()
}

func (w *world) settle(seq abi.Seq, how string) string {
	if before := w.settled[seq]; before != "" {
		return fmt.Sprintf("event %d was settled twice: %s, then %s", seq, before, how)
	}
	w.settled[seq] = how
	if w.keys[seq] == "" {
		return ""
	}
	for earlier := abi.Seq(1); earlier < seq; earlier++ {
		if w.keys[earlier] == w.keys[seq] && w.settled[earlier] == "" {
			return fmt.Sprintf("event %d was settled before %d, which has the same key", seq, earlier)
		}
	}
	for later := seq + 1; later <= simulatedEvents; later++ {
		if w.keys[later] == w.keys[seq] && w.settled[later] != "" {
			return fmt.Sprintf("event %d was settled after %d, which has the same key", seq, later)
		}
	}
	return ""
}

// waits says whether a row of the store leads to the event at seq.
func (w *world) waits(seq abi.Seq) bool {
	if w.keys[seq] == "" {
		_, ok := w.parked[fmt.Sprint("seq ", seq)]
		return ok
	}
	p, ok := w.parked["key "+w.keys[seq]]
	return ok && p.First <= seq && p.Version <= w.version(seq)
}

func (w *world) complete() string {
	for seq := abi.Seq(1); seq < w.cursor; seq++ {
		if w.settled[seq] == "" && !w.waits(seq) {
			return fmt.Sprintf("the cursor is at %d, and event %d, which nobody dealt with, does not wait", w.cursor, seq)
		}
	}
	return w.agree()
}

// judge says at the end whether each event ended as it had to.
func (w *world) judge() string {
	for seq := abi.Seq(1); seq <= simulatedEvents; seq++ {
		got := w.settled[seq]
		if want := w.want(seq); !slices.Contains(want, got) {
			return fmt.Sprintf("event %d ended as %q, want %q", seq, got, want)
		}
		// A trap is tried twice at least, and what is tried again at once is not written down in between.
		if tries := w.tries[seq] - w.undone[seq]; tries > max(w.policy.Attempts, 2)+w.deaths {
			return fmt.Sprintf("event %d was tried %d times, %d are allowed", seq, tries, w.policy.Attempts)
		}
	}
	return ""
}

// want returns how an event may end. A new generation may come in time, a lost try may
// have been the one that asked, and the process may have died in one that was marked.
func (w *world) want(seq abi.Seq) []string {
	end := map[fate][]string{
		fine: {"handled", "killed"}, flaky: {"handled", "trap", "killed"}, rejects: {"reject", "killed"}, traps: {"trap", "killed"}, hangs: {"timeout", "killed"},
		skips: {"skipped", "killed"}, asks: {"handled", "attempts", "killed"}, clashes: {"handled", "conflict", "killed"}, kills: {"killed", "handled"}, stale: {"handled", "timeout", "killed"}, slow: {"handled", "killed"},
	}[w.fates[seq]]
	if w.policy.OnPoison == delivery.Skip {
		end = append(end, "skipped")
	}
	if w.resets > 0 {
		end = append(end, "reset")
	}
	return end
}

// shrink returns the story of a failing seed with as few troubled events as it takes.
func shrink(seed uint64, b bug) (problem string, story []string) {
	var plain []abi.Seq
	for seq := abi.Seq(1); seq <= simulatedEvents; seq++ {
		if p, _ := simulate(seed, b, append(slices.Clone(plain), seq)...); p != "" {
			plain = append(plain, seq)
		}
	}
	return simulate(seed, b, plain...)
}
