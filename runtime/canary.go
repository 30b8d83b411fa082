package runtime

import (
	"context"

	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/log"
)

// watch begins the trial of the generation in service; back is what comes back.
func (s *subscription) watch(back *generation) {
	s.gen.back = back
	s.machine.Watch(s.gen.spec.Swap.Events)
}

// weigh acts on what the trial of the generation in service has come to, after the commit
// of a run. It says whether the subscription goes on.
func (s *subscription) weigh(v delivery.Verdict) bool {
	switch {
	case s.gen.back == nil:
	case v.RollBack != "":
		s.rollBack(v.RollBack)
	case !s.machine.Watching():
		s.confirm()
	}
	return true
}

// confirm ends a trial that went well. Where the store does not take it now, it is tried
// again after the next run; until then a restart repeats the trial.
func (s *subscription) confirm() {
	if _, err := s.r.store.Revise(context.Background(), confirmed(s.name, s.gen.number)); err != nil {
		s.r.opts.Logger.Warn("the end of a trial is not written down yet", "subscriber", s.name, "generation", s.gen.number, "error", err)
		return
	}
	s.gen.back = nil
	s.publishStatus()
	s.r.opts.Logger.Info("the trial of a generation went well", "subscriber", s.name, "generation", s.gen.number,
		"events", s.gen.spec.Swap.Events, "seq", uint64(s.machine.Cursor()))
}

// rollBack puts the generation from before the trial into service. The event that failed is
// its first one; what the other one committed stays.
func (s *subscription) rollBack(reason string) {
	failed, back := s.gen, s.gen.back
	came := newGeneration(back.number, back.spec, back.module)
	histories, err := s.r.store.Revise(context.Background(), rolledBack(s.name, failed.number, reason,
		log.Generation{Digest: back.module.Digest(), Module: back.spec.Module, Seq: s.machine.Cursor()}))
	if err != nil { // it goes all the same; after a restart the trial is repeated
		s.r.opts.Logger.Error("a roll back is not written down", "subscriber", s.name, "generation", failed.number, "error", err)
	} else if good := lastGood(histories[0]); good != nil && good.Cause == CauseAutomatic {
		came.number = good.Number
	}
	failed.back = nil
	s.mu.Lock()
	s.gen = came
	s.mu.refused = refused{failed.module.Digest(), refusalText(&log.Generation{
		Module: failed.spec.Module, Digest: failed.module.Digest(), Standing: log.RolledBack, Reason: reason})}
	s.mu.status.RolledBack++
	s.mu.Unlock()
	s.discard()
	s.closeReader()
	s.machine.Adopt(policy(came.spec))
	s.r.wantAgain(s, came)
	s.publishStatus()
	s.r.opts.Logger.Error("a generation failed on trial and was rolled back", "subscriber", s.name, "generation", failed.number, "module", failed.spec.Module,
		"digest", failed.module.Digest(), "reason", reason, "back", came.number, "seq", uint64(s.machine.Cursor()))
}

// wantAgain makes the patterns of the generation that came back what wakes s, unless a
// plan has taken it out or offers another one, which has seen to that.
func (r *Runtime) wantAgain(s *subscription, came *generation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.subs[s.name] != s || s.latest() != came {
		return
	}
	if err := r.interest.want(s, came.spec.Topics); err != nil { // they were wanted before
		r.opts.Logger.Error("the patterns of a generation are not wanted any more", "subscriber", s.name, "error", err)
	}
}

// settleRefusal takes over what a plan says of the module in the plugins folder. What was
// rolled back while the plan was built is news to the plan, and stays.
func (s *subscription) settleRefusal(c choice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.refused != "":
		if c.fresh {
			s.mu.status.Refused++
		}
		s.mu.refused = refused{c.wanted, c.refused}
	case s.mu.refused.digest != c.wanted || c.number == 0:
		s.mu.refused = refused{}
	}
}
