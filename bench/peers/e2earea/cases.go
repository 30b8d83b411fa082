package e2earea

import (
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/bench/peers/harness"
	"github.com/avx-platform/avxrt/log"
)

// Cases are the comparisons of the area; quick means shorter runs.
func Cases(quick bool) []harness.Case {
	if quick {
		return cases(300 * time.Millisecond)
	}
	return cases(time.Second)
}

func cases(long time.Duration) []harness.Case {
	var (
		accepted = contender{"ours", openOurs(log.Accepted), 2}
		durable  = contender{"ours", openOurs(log.Durable), 4}
		events   = work(64)
	)
	return []harness.Case{
		accepted.against("e2e/accepted", contender{"jetstream", openJetStream(false), 2}, events, long),
		durable.against("e2e/durable", contender{"jetstream/syncalways", openJetStream(true), 4}, events, long),
		accepted.against("e2e/watermill", contender{"watermill", openGoChannel, 4}, events, long),
	}
}

func (c contender) against(name string, rival contender, work [][]abi.Event, long time.Duration) harness.Case {
	return harness.Case{
		Name: name, Rival: rival.name, Timed: true, Ours: c.side(work, long), Theirs: rival.side(work, long),
		Check: func(dir string) error { return c.check(dir, rival, work) },
	}
}

// check gives both the same events.
func (c contender) check(dir string, rival contender, work [][]abi.Event) error {
	var states [2]counters
	for i, side := range []contender{c, rival} {
		rounds := 8 / side.publishers
		_, state, err := side.line(filepath.Join(dir, filepath.Base(side.name)), work,
			func(round int, _ time.Duration) bool { return round < rounds })
		if err != nil {
			return fmt.Errorf("%s: %w", side.name, err)
		}
		states[i] = state
	}
	if !maps.Equal(states[0], states[1]) || len(states[0]) == 0 {
		return fmt.Errorf("the states differ: ours %v, theirs %v", states[0], states[1])
	}
	return nil
}
