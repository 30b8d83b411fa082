package runtime

import (
	"context"
	"fmt"
	"slices"

	"github.com/avx-platform/avxrt/log"
)

// Who brought a generation.
const (
	CauseFile      = "file"                // the module's file in the plugins folder changed
	CauseManifest  = "manifest"            // the subscriber is new, or its rules changed
	CauseDeploy    = "deploy"              // Deploy replaced the file
	CauseRollback  = "rollback"            // Rollback did
	CauseAutomatic = "automatic roll back" // a later generation failed on trial
)

// Generations returns the generations of a subscriber, oldest first, as far as the store
// keeps them. It returns [ErrNotFound] for a name that is not in the manifest and never had one.
func (r *Runtime) Generations(name string) ([]log.Generation, error) {
	history, err := r.store.Generations(name)
	if err == nil && len(history) == 0 {
		err = r.noSubscriber(name)
	}
	return history, err
}

// lastGood returns the generation that runs after a restart unless the file is another
// one, nil if there is none.
func lastGood(history []log.Generation) *log.Generation {
	for i := range slices.Backward(history) {
		if history[i].Standing == log.InService {
			return &history[i]
		}
	}
	return nil
}

// onTrial returns the generation that is on trial, nil if there is none.
func onTrial(history []log.Generation) *log.Generation {
	for i := range slices.Backward(history) {
		switch history[i].Standing {
		case log.OnTrial:
			return &history[i]
		case log.InService:
			return nil
		}
	}
	return nil
}

// refusal returns the generation by which a digest is refused for a state version, nil if it is
// not: the last thing that anybody wanted is this, and it did not stay in service.
func refusal(history []log.Generation, digest string, version uint32) *log.Generation {
	for i := range slices.Backward(history) {
		switch g := &history[i]; {
		case g.Cause == CauseAutomatic:
			continue
		case g.Digest == digest && g.StateVersion == version && (g.Standing == log.Refused || g.Standing == log.RolledBack):
			return g
		case g.Cause == CauseDeploy && g.Standing == log.Refused:
			continue // it never was in the plugins folder
		default:
			return nil
		}
	}
	return nil
}

// successor is a revision that adds g, in the place of what was in service. What is on
// trial leaves that in service which comes back if it fails.
func successor(subscriber string, g log.Generation) log.Revision {
	return log.Revision{Subscriber: subscriber, Change: func(history []log.Generation) []log.Generation {
		if trial := onTrial(history); trial != nil {
			trial.Standing = log.Replaced
		}
		if g.Standing == log.InService {
			replaceServing(history)
		}
		return append(history, g)
	}}
}

// noteRefusal writes down that a module was refused, once.
func (r *Runtime) noteRefusal(ctx context.Context, subscriber string, g log.Generation) error {
	_, err := r.store.Revise(ctx, log.Revision{Subscriber: subscriber, Change: func(history []log.Generation) []log.Generation {
		if refusal(history, g.Digest, g.StateVersion) != nil {
			return history
		}
		g.Standing = log.Refused
		return append(history, g)
	}})
	return err
}

// replaceServing marks what is in service as replaced.
func replaceServing(history []log.Generation) {
	for i := range history {
		if history[i].Standing == log.InService {
			history[i].Standing = log.Replaced
		}
	}
}

// confirmed is a revision that ends the trial of a generation well. One that was replaced
// meanwhile stays so.
func confirmed(subscriber string, number int) log.Revision {
	return log.Revision{Subscriber: subscriber, Change: func(history []log.Generation) []log.Generation {
		if g := onTrial(history); g != nil && g.Number == number {
			replaceServing(history)
			g.Standing = log.InService
		}
		return history
	}}
}

// rolledBack is a revision that ends the trial of a generation badly, and brings back: a
// generation of its own, unless a later one waits already.
func rolledBack(subscriber string, number int, reason string, back log.Generation) log.Revision {
	return log.Revision{Subscriber: subscriber, Change: func(history []log.Generation) []log.Generation {
		g := onTrial(history)
		if g == nil || g.Number != number {
			for i := range history {
				if history[i].Number == number {
					history[i].Standing, history[i].Reason = log.RolledBack, reason
				}
			}
			return history
		}
		g.Standing, g.Reason = log.RolledBack, reason
		replaceServing(history)
		back.Cause, back.Standing, back.Reason = CauseAutomatic, log.InService, fmt.Sprintf("generation %d failed", number)
		return append(history, back)
	}}
}
