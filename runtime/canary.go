package runtime

import (
	"context"
	"sync"

	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/log"
)

// trial is the first events of a generation in service, over all lanes of its subscriber:
// one that fails brings back what was there before.
type trial struct {
	back *generation // what comes back
	mu   struct {
		sync.Mutex
		left  int // events that must still go well
		end   trialEnd
		noted bool        // that it went well is in the store
		came  *generation // what came back; nil: nothing yet
	}
}

// trialEnd is how a trial ended.
type trialEnd uint8

const (
	goesOn trialEnd = iota
	wentWell
	wentBadly
	overtaken // by another generation
)

func newTrial(events int, back *generation) *trial {
	t := &trial{back: back}
	t.mu.left = events
	return t
}

// onTrial says whether the generation is watched.
func (g *generation) onTrial() bool {
	if g.trial == nil {
		return false
	}
	g.trial.mu.Lock()
	defer g.trial.mu.Unlock()
	return g.trial.mu.end == goesOn
}

// overtake returns what another generation has to come back to if it follows g and fails:
// g, unless g did not come to the good end of its own trial.
func (g *generation) overtake() *generation {
	t := g.trial
	if t == nil {
		return g
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.mu.end == wentWell:
		return g
	case t.mu.came != nil:
		return t.mu.came
	case t.mu.end == goesOn:
		t.mu.end = overtaken
	}
	return t.back
}

// went counts events that went well and says whether the end of the trial is to be noted.
func (t *trial) went(handled int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.left -= handled; t.mu.left <= 0 && t.mu.end == goesOn {
		t.mu.end = wentWell
	}
	return t.mu.end == wentWell && !t.mu.noted
}

// failed ends the trial, unless another lane did, or it is over.
func (t *trial) failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.end != goesOn {
		return false
	}
	t.mu.end = wentBadly
	return true
}

// attend lets the machine watch the next run of a generation on trial. It says false where
// another lane has seen the generation fail: what comes instead is on its way, and was
// waited for.
func (s *subscription) attend(ctx context.Context) bool {
	t := s.gen.trial
	if t == nil {
		return true
	}
	t.mu.Lock()
	left, end := t.mu.left, t.mu.end
	t.mu.Unlock()
	switch end {
	case goesOn:
		s.machine.Watch(left)
	case wentWell:
		s.machine.Watch(0)
	default:
		s.wait(ctx, func(ctx context.Context) { <-ctx.Done() })
		return false
	}
	return true
}

// weigh acts on what a run means for the trial of the generation in service, after the
// run's commit. It says whether the subscription goes on.
func (s *subscription) weigh(v delivery.Verdict, handled int) bool {
	switch t := s.gen.trial; {
	case t == nil:
	case v.RollBack != "":
		if t.failed() {
			s.crew.rollBack(s.gen, v.RollBack)
		}
	case t.went(handled):
		s.crew.confirm(s.gen)
	}
	return true
}

// confirm notes that a trial went well. Where the store does not take it now, it is tried
// again after the next run; until then a restart repeats the trial.
func (c *crew) confirm(g *generation) {
	if _, err := c.r.store.Revise(context.Background(), confirmed(c.name, g.number)); err != nil {
		c.r.opts.Logger.Warn("the end of a trial is not written down yet", "subscriber", c.name, "generation", g.number, "error", err)
		return
	}
	g.trial.mu.Lock()
	g.trial.mu.noted = true
	g.trial.mu.Unlock()
	c.r.opts.Logger.Info("the trial of a generation went well", "subscriber", c.name, "generation", g.number, "events", g.spec.Swap.Events)
}

// rollBack puts the generation from before a trial into service, in all lanes. The event
// that failed is its lane's first one; what the other generation committed stays.
func (c *crew) rollBack(failed *generation, reason string) {
	back := failed.trial.back
	came := newGeneration(back.number, back.spec, back.module)
	came.version = back.version
	if back.version != failed.version {
		c.returnState(failed, came, reason)
		return
	}
	histories, err := c.r.store.Revise(context.Background(), rolledBack(c.name, failed.number, reason,
		log.Generation{Digest: back.module.Digest(), Module: back.spec.Module}))
	if err != nil { // it goes all the same; after a restart the trial is repeated
		c.r.opts.Logger.Error("a roll back is not written down", "subscriber", c.name, "generation", failed.number, "error", err)
	} else if good := lastGood(histories[0]); good != nil && good.Cause == CauseAutomatic {
		came.number = good.Number
	}
	c.refuse(failed.module.Digest(), refusalText(&log.Generation{
		Module: failed.spec.Module, Digest: failed.module.Digest(), Standing: log.RolledBack, Reason: reason}))
	c.r.opts.Logger.Error("a generation failed on trial and is rolled back", "subscriber", c.name, "generation", failed.number, "module", failed.spec.Module,
		"digest", failed.module.Digest(), "reason", reason, "back", came.number)
	failed.trial.mu.Lock()
	failed.trial.mu.came = came
	failed.trial.mu.Unlock()
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.lanes[0].count(func(st *SubscriberStatus) { st.RolledBack++ })
	c.bringBack(failed, came)
}

// bringBack offers came to the lanes that have failed, unless a plan offers something else
// or has taken the subscriber out. The caller holds Runtime.mu.
func (c *crew) bringBack(failed, came *generation) {
	if c.want == 0 || c.lanes[0].latest() != failed {
		return
	}
	if err := c.r.wantAll(c.lanes, came.spec.Topics); err != nil { // they were wanted before
		c.r.opts.Logger.Error("the patterns of a generation are not wanted any more", "subscriber", c.name, "error", err)
	}
	c.offer(came)
}

// refused is a module that does not run although it is what the plugins folder has.
type refused struct{ digest, reason string }

// refuse notes what is refused, for whoever asks how the subscriber stands.
func (c *crew) refuse(digest, reason string) {
	c.news.Lock()
	defer c.news.Unlock()
	c.news.refused = refused{digest, reason}
}

// problem returns why the module in the plugins folder does not run, "" if it does.
func (c *crew) problem() string {
	c.news.Lock()
	defer c.news.Unlock()
	return c.news.refused.reason
}

// settleRefusal takes over what a plan says of the module in the plugins folder. What was
// rolled back while the plan was built is news to the plan, and stays.
func (c *crew) settleRefusal(choice choice) {
	c.news.Lock()
	defer c.news.Unlock()
	switch {
	case choice.refused != "":
		c.news.refused = refused{choice.wanted, choice.refused}
	case c.news.refused.digest != choice.wanted || choice.number == 0:
		c.news.refused = refused{}
	}
}
