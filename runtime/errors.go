package runtime

import (
	"errors"
	"fmt"

	"github.com/avx-platform/avxrt/internal/nearest"
)

// Conditions that callers test with errors.Is.
var (
	ErrReservedTopic = errors.New("topics that begin with $ are the host's; choose another topic")
	ErrNotFound      = errors.New("not found")
	ErrAttached      = errors.New("the subscriber is in the manifest; take it out of there first")
	ErrDetached      = errors.New("the subscriber is not in the manifest, so nothing runs it; put it back there first")
	ErrInTurn        = errors.New("the cursor has yet to come to this event again, which is handled in its turn then")
	ErrRebuilding    = errors.New("its state is being rebuilt for another version; redrive when that is done, see avxrt sub show")
	ErrDraining      = errors.New("the node is shutting down; publish to it again after its restart")
)

// ErrDone is what a Go func returns to [Runtime.Subscribe] that has handled the event and wants
// no more.
var ErrDone = errors.New("done")

// ManifestError says that a manifest or one of its modules was refused. The text names
// each place and remedy, one a line.
type ManifestError struct {
	Subscriber string // whose module is wrong; "" if it is the manifest itself
	Err        error
}

// Error returns the reasons.
func (e *ManifestError) Error() string {
	if e.Subscriber == "" {
		return e.Err.Error()
	}
	return "subscriber " + e.Subscriber + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *ManifestError) Unwrap() error { return e.Err }

// RefusedError says that a module was refused for what it does, by a rehearsal or by its
// first events in service. What ran before goes on.
type RefusedError struct {
	Subscriber string
	Reason     string
}

// Error names the subscriber and the reason.
func (e *RefusedError) Error() string { return "subscriber " + e.Subscriber + ": " + e.Reason }

// noSubscriber is [ErrNotFound] for a name, with the one of the manifest that may be meant.
func (r *Runtime) noSubscriber(name string) error {
	var names []string
	for _, s := range r.subscriptions() {
		names = append(names, s.name)
	}
	if meant := nearest.Word(name, names...); meant != "" && meant != name {
		return fmt.Errorf("subscriber %q: %w; did you mean %q?", name, ErrNotFound, meant)
	}
	return fmt.Errorf("subscriber %q: %w; avxrt sub ls lists them", name, ErrNotFound)
}
