package runtime

import (
	"context"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// retainEvery is how often events that the manifest gives a limit for may leave. Passes
// are rare because the engine likes few large deletions.
const retainEvery = 10 * time.Minute

// retainAlways lets events leave the log as log.retention says, until ctx ends.
func (r *Runtime) retainAlways(ctx context.Context) {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := r.Retain(ctx, false); err != nil && ctx.Err() == nil {
			r.opts.Logger.Error("events that may leave the log did not", "error", err)
		}
	}
}

// Retain makes one pass of what log.retention in the manifest asks for. Age spares events
// that a subscriber of the manifest has yet to handle; size does not, and the subscriber
// then says how many events it lost. force lets a pass drop most of the log at once.
func (r *Runtime) Retain(ctx context.Context, force bool) (log.RetainReport, error) {
	r.mu.Lock()
	policy := r.mu.manifest.Log.Retention
	r.mu.Unlock()
	if policy.MaxAge == 0 && policy.MaxBytes == 0 && len(policy.Topics) == 0 {
		return log.RetainReport{}, nil
	}
	retention := log.Retention{MaxAge: policy.MaxAge, MaxBytes: policy.MaxBytes, Force: force}
	for _, t := range policy.Topics {
		retention.Topics = append(retention.Topics, log.TopicRetention{Pattern: t.Pattern.String(), Match: t.Pattern.Match, MaxAge: t.MaxAge})
	}
	cursors := map[*subscription]abi.Seq{}
	for _, s := range r.subscriptions() {
		st := s.statusNow()
		cursors[s] = st.Cursor
		if st.BlockedKeys > 0 {
			cursors[s] = st.Needs
		}
		if st.Build != nil && st.Build.Next != 0 { // what the rebuild has yet to handle
			cursors[s] = min(cursors[s], st.Build.Next)
		}
		if retention.Hold == 0 || cursors[s] < retention.Hold {
			retention.Hold = cursors[s]
		}
	}
	report, err := r.store.Retain(ctx, retention)
	if report.Refused != "" {
		r.opts.Logger.Warn("events that may leave the log stay", "reason", report.Refused)
	}
	if report.To != 0 || report.Events > 0 {
		r.opts.Logger.Info("events left the log", "from", report.From, "to", report.To, "single", report.Events, "reason", report.Reason)
	}
	for s, cursor := range cursors {
		if cursor <= report.To {
			lost := uint64(report.To - cursor + 1)
			s.count(func(st *SubscriberStatus) { st.Lost += lost })
			r.opts.Logger.Error("the log became too large before a subscriber had handled its events", "subscriber", s.name, "from", cursor, "to", report.To)
		}
	}
	return report, err
}
