package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"reflect"

	"github.com/avx-platform/avxrt/abi"
)

// slower is how much more time the interpreter gets than the compiled guest had.
const slower = 100

// Verify runs events again, on a fresh instance and on the interpreter, and says how what
// comes of it differs from want, "" if it does not. A difference means that the guest
// depends on more than its events and state, for example on what its memory still holds of
// earlier events, or that one of the engines has a fault. Runs that ended by a trap are not
// compared: fuel and time depend on the instance's history. state must be what the run had.
func (m *Module) Verify(ctx context.Context, config Config, state StateReader, events []abi.Event, want Result) (string, error) {
	if want.Trap != nil {
		return "", nil
	}
	twin, err := m.interpreted(ctx)
	if err != nil {
		return "", err
	}
	config.OnLog = nil
	config.Limits = config.Limits.withDefaults()
	config.Limits.Time *= slower
	i, err := twin.Instantiate(ctx, config, state)
	if err != nil {
		return "", err
	}
	defer i.Close(ctx)
	given := 0
	got := i.Run(ctx, Batch{State: state, Next: func() *abi.Event {
		if given == min(want.Pulled, len(events)) {
			return nil
		}
		given++
		return &events[given-1]
	}})
	return difference(want, got), nil
}

// interpreted returns the module on the interpreter, made at the first call.
func (m *Module) interpreted(ctx context.Context) (*Module, error) {
	m.twin.Lock()
	defer m.twin.Unlock()
	if m.twin.module != nil {
		return m.twin.module, nil
	}
	t := &Module{engine: m.engine, name: m.name, digest: m.digest, info: m.info, depth: m.depth, metered: m.metered, source: m.source, interpreter: true}
	if err := t.compile(ctx); err != nil {
		_ = t.close(ctx)
		return nil, err
	}
	m.twin.module = t
	return t, nil
}

// difference names the first thing that is not the same.
func difference(want, got Result) string {
	switch {
	case got.Trap != nil:
		return "the second run trapped: " + got.Trap.Message
	case got.Handled != want.Handled:
		return fmt.Sprintf("%d events were handled, then %d", want.Handled, got.Handled)
	case !reflect.DeepEqual(got.Failure, want.Failure):
		return fmt.Sprintf("the verdict was %v, then %v", want.Failure, got.Failure)
	case len(got.Emits) != len(want.Emits):
		return fmt.Sprintf("%d events were emitted, then %d", len(want.Emits), len(got.Emits))
	case len(got.Writes) != len(want.Writes):
		return fmt.Sprintf("%d keys were written, then %d", len(want.Writes), len(got.Writes))
	case !bytes.Equal(got.Reply, want.Reply):
		return "the replies differ"
	}
	for k := range got.Emits {
		if !reflect.DeepEqual(got.Emits[k], want.Emits[k]) {
			return fmt.Sprintf("emit %d, to %s, differs", k, want.Emits[k].Event.Topic)
		}
	}
	for k := range got.Writes {
		if a, b := got.Writes[k], want.Writes[k]; a.Delete != b.Delete || !bytes.Equal(a.Key, b.Key) || !bytes.Equal(a.Value, b.Value) {
			return fmt.Sprintf("the state of key %q differs", clean(b.Key, 64))
		}
	}
	return ""
}
