package runtime

import (
	"context"
	"errors"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// onCore runs a batch on the instance of s, or on a new one that reads state at its start,
// once s may have a core. What both burn goes onto the account of its subscriber. The error
// says why there is no instance.
func (s *subscription) onCore(ctx context.Context, state sandbox.StateReader, b sandbox.Batch) (sandbox.Result, error) {
	t := coreTime{cores: s.r.cores, share: &s.crew.share}
	t.begin()
	defer t.end()
	instance := s.place.Take()
	if instance == nil {
		var err error
		if instance, err = t.instantiate(ctx, s.gen.module, s.sandboxConfig(), state); err != nil {
			return sandbox.Result{}, err
		}
	}
	result := t.run(ctx, instance, b)
	s.place.Leave(instance)
	return result, nil
}

// coreTime is a guest's time on a core, and what it burns meanwhile.
type coreTime struct {
	cores *fair
	share *share
	burnt int64
}

func (t *coreTime) begin() { t.cores.begin(t.share) }

func (t *coreTime) end() { t.cores.end(t.share, t.burnt) }

func (t *coreTime) instantiate(ctx context.Context, m *sandbox.Module, c sandbox.Config, state sandbox.StateReader) (*sandbox.Instance, error) {
	instance, err := m.Instantiate(ctx, c, state)
	var failed *sandbox.LoadError
	switch {
	case err == nil:
		t.burnt += instance.StartFuel()
	case errors.As(err, &failed):
		t.burnt += failed.Fuel
	}
	return instance, err
}

// once gives one event.
func once(ev *abi.Event) func() *abi.Event {
	return func() *abi.Event {
		given := ev
		ev = nil
		return given
	}
}

func (t *coreTime) run(ctx context.Context, i *sandbox.Instance, b sandbox.Batch) sandbox.Result {
	result := i.Run(ctx, b)
	t.burnt += max(result.Fuel, 0)
	return result
}
