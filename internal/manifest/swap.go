package manifest

import "github.com/avx-platform/avxrt/internal/nearest"

// maxSwapEvents bounds a rehearsal, whose events are kept in memory, and a trial.
const maxSwapEvents = 100_000

// swap reads how a new module goes into service.
func (b *builder) swap(at string, in *rawSubscriber, s *Subscriber) {
	if v := in.Swap.Mode; v != nil {
		switch s.Swap.Mode = *v; s.Swap.Mode {
		case SwapImmediate, SwapShadow, SwapCanary:
		default:
			b.bad(at+".swap.mode", nearest.Hint(*v, SwapImmediate, SwapShadow, SwapCanary), "%q is unknown", *v)
		}
	}
	if v := in.Swap.Events; v != nil {
		if s.Swap.Events = *v; *v < 1 || *v > maxSwapEvents {
			b.bad(at+".swap.events", "", "%d is not between 1 and %d", *v, maxSwapEvents)
		}
		if s.Swap.Mode == SwapImmediate {
			b.bad(at+".swap.events", `add mode = "shadow" or mode = "canary"`, "without a rehearsal or a trial there are no events")
		}
	}
	if v := in.Swap.Require; v != nil {
		if s.Swap.Require = *v; *v != RequireSame {
			b.bad(at+".swap.require", nearest.Hint(*v, RequireSame), "%q is unknown", *v)
		}
		if s.Swap.Mode != SwapShadow {
			b.bad(at+".swap.require", `add mode = "shadow"`, "only a rehearsal compares what is emitted and written")
		}
	}
}
