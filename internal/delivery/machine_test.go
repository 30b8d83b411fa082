package delivery_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/internal/fault"
)

// TestStories runs the transcripts in testdata. Each is the life of one subscription:
//
//	new cursor=1 attempts=3            a machine
//	begin now=0s                       what it wants to do
//	finish now=0s handled=2 reached=3  how that went; fail=<seq> kind=<kind> code=<n> msg=<text> adds a failure
//	                                   key=<key> version=<n> say whose event it is, version= of a line also where it goes on
//	clash now=0s cursor=1 seq=2        the commit was refused by a version conflict
//	refused cursor=1                   the commit was refused by a fence
//	adopt attempts=3 watch=5           a new generation; the first five events are its trial
//	parked key=k first=3 …             a row of the store, for the next new
//	pass key=k                         what becomes of an event of the log
//	mark key=k seq=3 version=1         the row before a run that is marked
//	condemned now=0s                   who ended the process too often
//	release seq=3                      an operator dealt with a held event
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &story{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.step(t, d) })
	})
}

type story struct {
	m     *delivery.Machine
	store []delivery.Parked // for the next machine
}

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
		s.m = delivery.New(policyOf(args, num), delivery.Start{Cursor: abi.Seq(num("cursor")), Parked: s.store, Careful: args["careful"] != "", Strikes: num("strikes")})
		s.m.Watch(num("watch"))
		return s.rest()
	case "parked":
		s.store = append(s.store, delivery.Parked{
			Key: args["key"], First: abi.Seq(num("first")), Version: abi.Version(num("version")), Attempts: num("attempts"),
			Held: args["held"] != "", Running: args["running"] != "",
		})
		return ""
	case "pass":
		return [...]string{"give", "pass over", "halt"}[s.m.Pass(args["key"])] + "\n"
	case "mark":
		return printParked(s.m.Mark(args["key"], abi.Seq(num("seq")), abi.Version(num("version")))) + "\n"
	case "release":
		c, ok := s.m.Release(abi.Seq(num("seq")))
		if !ok {
			return "nothing is held there\n"
		}
		return printParked(c) + "\n"
	case "condemned":
		v, ok := s.m.Condemned(int64(now))
		if !ok {
			return "nobody\n"
		}
		return printVerdict(v) + s.rest()
	case "adopt":
		s.m.Adopt(policyOf(args, num))
		s.m.Watch(num("watch"))
		return s.rest()
	case "begin":
		return printOrder(s.m.Begin(int64(now)))
	case "finish":
		o := delivery.Outcome{
			Handled: num("handled"), Reached: abi.Seq(num("reached")), Version: abi.Version(num("version")), Halted: args["halted"] != "",
		}
		if kind, ok := args["kind"]; ok {
			o.Failure = &delivery.Failure{
				Seq: abi.Seq(num("fail")), Key: args["key"], Version: abi.Version(num("version")), Kind: kinds[kind], Code: abi.FailCode(num("code")), Message: args["msg"],
			}
		}
		return printVerdict(s.m.Finish(int64(now), o)) + s.rest()
	case "clash":
		return printVerdict(s.m.Clash(int64(now), delivery.Start{Cursor: abi.Seq(num("cursor"))}, delivery.Failure{Seq: abi.Seq(num("seq")), Message: "conflict"})) + s.rest()
	case "refused":
		out := ""
		for _, c := range s.m.Refused(delivery.Start{Cursor: abi.Seq(num("cursor")), Parked: s.store}) {
			out += printParked(c) + "\n"
		}
		return out + s.rest()
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
	if o.Line {
		s = fmt.Sprintf("run of key %q from version %d, event %d, at most %d", o.Key, o.Version, o.From, o.Max)
	}
	if o.Before != 0 {
		s += fmt.Sprintf(", before %d", o.Before)
	}
	if o.Fresh {
		s += ", fresh instance"
	}
	if o.Attempt > 1 {
		s += fmt.Sprintf(", attempt %d", o.Attempt)
	}
	if o.Mark {
		s += ", marked"
	}
	return s + "\n"
}

func printParked(c delivery.ParkedChange) string {
	name := fmt.Sprintf("key %q", c.Key)
	if c.Key == "" {
		name = fmt.Sprintf("event %d alone", c.First)
	}
	if c.Gone {
		return name + " is free"
	}
	s := fmt.Sprintf("%s waits from event %d, version %d", name, c.First, c.Version)
	if c.Attempts > 0 {
		s += fmt.Sprintf(", %d attempts", c.Attempts)
	}
	if c.Next > 0 {
		s += fmt.Sprintf(", next at %v", time.Duration(c.Next).Round(10*time.Millisecond))
	}
	if c.Held {
		s += ", held"
	}
	if c.Running {
		s += ", running"
	}
	return s
}

func printVerdict(v delivery.Verdict) string {
	s := fmt.Sprintf("cursor to %d", v.To)
	if v.Letter != nil {
		s += fmt.Sprintf(", dead letter %d (%s after %d: %s)", v.Letter.Seq, v.Letter.Reason, v.Letter.Attempts, v.Letter.Message)
	}
	if v.Skipped != 0 {
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
	for _, c := range v.Parked {
		s += "\n" + printParked(c)
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

// TestSimulation drives machines through thousands of seeds: no event is lost, handled
// twice or out of the order of its key, and none is tried more often than it may be.
func TestSimulation(t *testing.T) {
	seeds := uint64(fault.Size(t, 20_000, 1_000_000))
	for seed := uint64(1); seed <= seeds; seed++ {
		if problem, _ := simulate(seed, bug{}); problem != "" {
			problem, story := shrink(seed, bug{})
			t.Fatalf("seed %d: %s\n%s", seed, problem, strings.Join(story, "\n"))
		}
	}
}

// simulations is how many seeds a planted bug may take to be found.
const simulations = 10_000

// TestSimulationFinds plants bugs and wants each of them found.
func TestSimulationFinds(t *testing.T) {
	for _, b := range slices.Concat(bugs, swapBugs, operatorBugs) {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= simulations; seed++ {
				if problem, _ := simulate(seed, b); problem != "" {
					t.Logf("found by seed %d: %s", seed, problem)
					return
				}
			}
			t.Errorf("%d seeds did not find it", simulations)
		})
	}
}

var bugs = []bug{
	{name: "the cursor goes one too far", verdict: func(v *delivery.Verdict) { v.To++ }},
	{name: "the row of a blocked key is not committed", verdict: func(v *delivery.Verdict) { v.Parked = nil }},
	{name: "a row is never taken out", verdict: func(v *delivery.Verdict) {
		v.Parked = slices.DeleteFunc(v.Parked, func(c delivery.ParkedChange) bool { return c.Gone })
	}},
	{name: "a row is taken out too early", verdict: func(v *delivery.Verdict) {
		for i := range v.Parked {
			v.Parked[i].Gone = true
		}
	}},
	{name: "attempts are not kept", verdict: func(v *delivery.Verdict) {
		for i := range v.Parked {
			v.Parked[i].Attempts = 0
		}
	}, mark: func(c *delivery.ParkedChange) bool { c.Attempts = 0; return true }},
	{name: "the dead letter is forgotten", verdict: func(v *delivery.Verdict) { v.Letter = nil }},
	{name: "the next event of a blocked key runs", pass: func(delivery.Passing) delivery.Passing { return delivery.Give }},
	{name: "events of free keys are passed over", pass: func(delivery.Passing) delivery.Passing { return delivery.Over }},
	{name: "a line begins one version late", order: func(o *delivery.Order) {
		if o.Line && o.Key != "" {
			o.Version++
		}
	}},
	{name: "nobody wakes for a blocked key", order: func(o *delivery.Order) {
		if !o.Line && o.Run {
			o.Wake = 0
		}
	}},
	{name: "the cursor does not go to a marked event", ahead: true},
	{name: "a refused run counts as one that ended the process", counts: true},
	{name: "a marked event has no row", mark: func(*delivery.ParkedChange) bool { return false }},
	{name: "the store's rows are not read at the start", start: func(s *delivery.Start) { s.Parked = nil }},
	{name: "an unclean end is not noticed", start: func(s *delivery.Start) { s.Careful = false }},
	{name: "the place of a line in its stream is not kept", verdict: func(v *delivery.Verdict) {
		for i := range v.Parked {
			v.Parked[i].Version += 3
		}
	}},
}
