package delivery_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
)

// TestStories runs the transcripts in testdata. Each is the life of one subscription:
//
//	new cursor=1 attempts=3            a machine
//	begin now=0s                       what it wants to do
//	finish now=0s handled=2 reached=3  how that went; fail=<seq> kind=<kind> code=<n> msg=<text> adds a failure
//	clash now=0s cursor=1 seq=2        the commit was refused by a version conflict
//	refused cursor=1                   the commit was refused by a fence
//	adopt attempts=3 watch=5           a new generation; the first five events are its trial
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &story{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.step(t, d) })
	})
}

type story struct{ m *delivery.Machine }

func (s *story) step(t *testing.T, d *datadriven.TestData) string {
	args := map[string]string{}
	for _, a := range d.CmdArgs {
		args[a.Key] = strings.Join(a.Vals, " ")
	}
	num := func(key string) int {
		n, err := strconv.Atoi(args[key])
		if args[key] != "" && err != nil {
			t.Fatalf("%s: %s=%q is no number", d.Pos, key, args[key])
		}
		return n
	}
	now, _ := time.ParseDuration(args["now"])
	switch d.Cmd {
	case "new":
		s.m = delivery.New(policyOf(args, num), abi.Seq(num("cursor")))
		return ""
	case "adopt":
		s.m.Adopt(policyOf(args, num))
		s.m.Watch(num("watch"))
		return s.rest()
	case "begin":
		return printOrder(s.m.Begin(int64(now)))
	case "finish":
		o := delivery.Outcome{Handled: num("handled"), Reached: abi.Seq(num("reached"))}
		if kind, ok := args["kind"]; ok {
			o.Failure = &delivery.Failure{Seq: abi.Seq(num("fail")), Kind: kinds[kind], Code: abi.FailCode(num("code")), Message: args["msg"]}
		}
		return printVerdict(s.m.Finish(int64(now), o)) + s.rest()
	case "clash":
		return printVerdict(s.m.Clash(int64(now), abi.Seq(num("cursor")), abi.Seq(num("seq")), "conflict")) + s.rest()
	case "refused":
		s.m.Refused(abi.Seq(num("cursor")))
		return s.rest()
	}
	t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	return ""
}

var kinds = map[string]delivery.FailureKind{
	"said": delivery.Said, "trap": delivery.Trapped, "timeout": delivery.TimedOut, "hops": delivery.TooFar,
}

func policyOf(args map[string]string, num func(string) int) delivery.Policy {
	return delivery.Policy{
		Attempts: num("attempts"), OnPoison: delivery.Poison(args["on-poison"]), Min: time.Second, Max: 10 * time.Second, Seed: 1,
	}
}

func printOrder(o delivery.Order) string {
	switch {
	case !o.Run && o.Wake == 0:
		return "nothing until a new generation\n"
	case !o.Run:
		return fmt.Sprintf("wait until %v\n", time.Duration(o.Wake).Round(10*time.Millisecond))
	}
	s := fmt.Sprintf("run from %d, at most %d", o.From, o.Max)
	if o.Before != 0 {
		s += fmt.Sprintf(", before %d", o.Before)
	}
	if o.Fresh {
		s += ", fresh instance"
	}
	if o.Attempt > 1 {
		s += fmt.Sprintf(", attempt %d", o.Attempt)
	}
	return s + "\n"
}

func printVerdict(v delivery.Verdict) string {
	s := fmt.Sprintf("cursor to %d", v.To)
	if v.Letter != nil {
		s += fmt.Sprintf(", dead letter %d (%s after %d: %s)", v.Letter.Seq, v.Letter.Reason, v.Letter.Attempts, v.Letter.Message)
	}
	if v.Skipped {
		s += ", event skipped"
	}
	if v.Retry {
		s += ", will run again"
	}
	if v.Discard {
		s += ", instance discarded"
	}
	if v.RollBack != "" {
		s += ", roll back: " + v.RollBack
	}
	return s + "\n"
}

// rest prints what the machine says of itself.
func (s *story) rest() string {
	out := ""
	if seq := s.m.Retrying(); seq != 0 {
		out += fmt.Sprintf("retrying %d\n", seq)
	}
	if s.m.Watching() {
		out += "on trial\n"
	}
	if why := s.m.Stopped(); why != "" {
		out += "stopped: " + why + "\n"
	}
	return out
}

// TestCursorNeverJumps drives machines with random outcomes: the cursor never goes back but
// by a refusal, never passes an event that was neither acknowledged nor given up, and an
// event is tried no more often than its attempts allow.
func TestCursorNeverJumps(t *testing.T) {
	for seed := uint64(1); seed <= 2000; seed++ {
		if problem := simulate(seed); problem != "" {
			t.Fatalf("seed %d: %s", seed, problem)
		}
	}
}
