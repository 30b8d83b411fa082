package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cockroachdb/datadriven"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/runtime"
)

// TestOperatorStories runs the transcripts in testdata. Each is the life of one node, whose
// subscriber ledger adds up amounts and emits one event for each:
//
//	open module=broken policy=block      the node, again, with this module; module=none: without the subscriber
//	publish 1 2 3                        events with these amounts and the key k, or a:1 with the key a
//	settle                               until it does not lag; show-waiting: but for blocked keys; stopped: until it is
//	pause why | resume | replay | drop
//	reset to=seq:1 reemit empty dry
//	letters reason= topic= fingerprint=  those that a filter means
//	redrive 3 dry module=broken
//	forget reason= seq=                  drops dead letters
//	show                                 how it stands, its state, its dead letters and what it emitted
func TestOperatorStories(t *testing.T) {
	for _, name := range []string{"operate", "replay", "redrive"} {
		t.Run(name, func(t *testing.T) {
			s := &ledgerStory{t: t, dir: t.TempDir()}
			datadriven.RunTest(t, "testdata/"+name+".txt", func(_ *testing.T, d *datadriven.TestData) string { return s.step(d) })
		})
	}
}

type ledgerStory struct {
	t   *testing.T
	dir string
	r   *runtime.Runtime
}

func ledgerModule(t *testing.T, name string) []byte {
	t.Helper()
	file := map[string]string{"broken": "testdata/ledger-broken.wasm", "fixed": "testdata/ledger.wasm", "": "testdata/ledger.wasm"}[name]
	wasm, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

func (s *ledgerStory) open(args map[string]string) {
	if s.r != nil {
		stop(s.t, s.r)
	}
	manifest := "[[subscriber]]\nname = \"ledger\"\nmodule = \"ledger.wasm\"\ntopics = [\"pay.*\"]\nemits = [\"ledger.*\"]\nretry = { attempts = 3, backoff = \"1ms..2ms\" }\n"
	if policy := args["policy"]; policy != "" {
		manifest += "on_poison = \"" + policy + "\"\n"
	}
	opts := runtime.Options{Dir: s.dir, ManifestText: []byte(manifest)}
	if args["module"] == "none" {
		opts.ManifestText = []byte("[node]\nid = \"node-1\"\n")
	} else {
		opts.Modules = fstest.MapFS{"ledger.wasm": {Data: ledgerModule(s.t, args["module"])}}
	}
	s.r = openWith(s.t, opts)
}

func (s *ledgerStory) step(d *datadriven.TestData) string {
	args, words := map[string]string{}, []string{}
	for _, a := range d.CmdArgs {
		args[a.Key] = strings.Join(a.Vals, ",")
		if len(a.Vals) == 0 {
			args[a.Key] = "yes"
			words = append(words, a.Key)
		}
	}
	text, err := s.do(d.Cmd, args, words)
	if err != nil {
		text += err.Error() + "\n"
	}
	return text
}

func (s *ledgerStory) do(cmd string, args map[string]string, words []string) (string, error) {
	ctx := s.t.Context()
	switch cmd {
	case "open":
		s.open(args)
		return "", nil
	case "publish":
		return "", s.publish(words)
	case "settle":
		settled(s.t, s.r)
		eventually(s.t, func() bool { // it has read over what it does not want, too
			st, err := s.r.Subscriber("ledger")
			return err == nil && st.Cursor > s.r.Store().Head() && st.BlockedKeys == 0
		})
		return "", nil
	case "pause":
		return "", s.r.Pause(ctx, "ledger", strings.Join(words, " "))
	case "resume":
		return "", s.r.Resume(ctx, "ledger")
	case "replay":
		plan, err := s.r.Replay(ctx, "ledger")
		return fmt.Sprintf("%+v\n", plan), err
	case "drop":
		dropped, err := s.r.Drop(ctx, "ledger")
		return fmt.Sprintf("%+v\n", dropped), err
	case "detached":
		all, err := s.r.Detached()
		return fmt.Sprintln(len(all)), err
	case "reset":
		return s.reset(ctx, args)
	case "letters", "forget":
		return s.letters(ctx, cmd, args)
	case "redrive":
		return s.redrive(ctx, args, words)
	case "stopped":
		eventually(s.t, func() bool {
			st, err := s.r.Subscriber("ledger")
			return err == nil && st.State == runtime.StateStopped
		})
	case "show-waiting":
		eventually(s.t, func() bool { // nothing is left but what waits for an operator
			st, err := s.r.Subscriber("ledger")
			return err == nil && st.BlockedKeys > 0 && st.Cursor > s.r.Store().Head()
		})
	}
	return s.show(), nil
}

func (s *ledgerStory) publish(words []string) error {
	var events []abi.Event
	for _, w := range words {
		key, amount, ok := strings.Cut(w, ":")
		if !ok {
			key, amount = "k", w
		}
		events = append(events, abi.Event{Topic: "pay.in", Key: key, Data: []byte(amount)})
	}
	_, err := s.r.Publish(s.t.Context(), events, log.Durable)
	return err
}

func (s *ledgerStory) reset(ctx context.Context, args map[string]string) (string, error) {
	to, err := runtime.ParseTarget(args["to"])
	if err != nil {
		return "", err
	}
	opts := runtime.ResetOptions{To: to, ReEmit: args["reemit"] != "", EmptyState: args["empty"] != ""}
	run := s.r.Reset
	if args["dry"] != "" {
		run = s.r.PlanReset
	}
	plan, err := run(ctx, "ledger", opts)
	return fmt.Sprintf("%+v\n", plan), err
}

func (s *ledgerStory) letters(ctx context.Context, cmd string, args map[string]string) (string, error) {
	f := runtime.LetterFilter{Reason: args["reason"], Topic: args["topic"], Fingerprint: args["fingerprint"]}
	if n, err := strconv.ParseUint(args["seq"], 10, 64); err == nil {
		f.Seqs = []abi.Seq{abi.Seq(n)}
	}
	if cmd == "forget" {
		seqs, err := s.r.DropDeadLetters(ctx, "ledger", f)
		return fmt.Sprintln(seqs), err
	}
	all, err := s.r.FindDeadLetters(ctx, "ledger", f, 0, 100)
	var out strings.Builder
	for _, d := range all {
		fmt.Fprintf(&out, "%d %s %s %q\n", d.Seq, d.Fingerprint, d.Reason, d.Pattern)
	}
	return out.String(), err
}

func (s *ledgerStory) redrive(ctx context.Context, args map[string]string, words []string) (string, error) {
	seq, err := strconv.ParseUint(words[0], 10, 64)
	if err != nil {
		return "", err
	}
	opts := runtime.RedriveOptions{DryRun: args["dry"] != "", Name: args["module"]}
	if args["module"] != "" {
		opts.Module = ledgerModule(s.t, args["module"])
	}
	out, err := s.r.Redrive(ctx, "ledger", abi.Seq(seq), opts)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s %q attempts=%d emits=%v dropped=%d writes=%d\n", out.Outcome, out.Reason, out.Message, out.Attempts, out.Emits, out.Dropped, out.Writes), nil
}

func (s *ledgerStory) show() string {
	var out strings.Builder
	eventually(s.t, func() bool { // what was emitted just now is read over
		st, err := s.r.Subscriber("ledger")
		return err != nil || st.State != runtime.StateRunning || st.Cursor > s.r.Store().Head()
	})
	st, err := s.r.Subscriber("ledger")
	if err == nil {
		fmt.Fprintf(&out, "%s %q cursor=%d mark=%d blocked=%d lagging=%v\n", st.State, st.Reason, st.Cursor, st.Mark, st.BlockedKeys, st.LagEvents > 0)
	}
	entries, err := s.r.State(s.t.Context(), "ledger", "", "", 100)
	if err != nil && !errors.Is(err, runtime.ErrNotFound) {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		fmt.Fprintf(&out, "%s=%s ", e.Key, e.Value)
	}
	letters, err := s.r.DeadLetters(s.t.Context(), "ledger", 0, 100)
	if err != nil && !errors.Is(err, runtime.ErrNotFound) {
		s.t.Fatal(err)
	}
	for _, d := range letters {
		fmt.Fprintf(&out, "\nletter %d: %s %s after %d, replayed=%v run=%d tries=%d", d.Seq, d.Event.Data, d.Reason, d.Attempts, d.Replayed, d.Run, len(d.Tries))
	}
	out.WriteString("\nemitted:")
	reader := s.r.Store().NewReader(log.ReadOptions{Match: func(topic string) bool { return topic == "ledger.booked" }})
	defer reader.Close()
	var ev abi.Event
	for reader.Next(&ev) {
		fmt.Fprintf(&out, " %s=%s", ev.ID, ev.Data)
	}
	out.WriteString("\n")
	return out.String()
}
