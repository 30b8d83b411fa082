package manifest

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/abi"
)

// top is how the keys at the top of a file of cases are called in a builder.
const top = "[]"

func parseCases(text []byte, file, dir string) (*Cases, error) {
	r := &report{file: file}
	places, err := scanPlaces(string(text))
	var bound *errBound
	if errors.As(err, &bound) {
		r.add(bound.at, "", "", "%s", bound.reason)
		return nil, r.err()
	}
	caseWords.check(r, places)
	at := positions(places)
	var in rawCases
	var rules rawSubscriber
	told, err := decode(r, text, &caseWords, at, &in, &rules)
	if err != nil {
		return nil, r.err()
	}
	b := &caseBuilder{builder{report: r, dir: dir, at: at, told: told}}
	for _, p := range places {
		if _, seen := at[top+"."+p.path]; !seen {
			at[top+"."+p.path] = p.at
		}
	}
	for path := range maps.Clone(told) {
		told[top+"."+path] = true
	}
	c := b.build(&in, &rules)
	if err := r.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// caseBuilder turns the raw shape into Cases.
type caseBuilder struct{ builder }

func (b *caseBuilder) build(in *rawCases, rules *rawSubscriber) *Cases {
	c := &Cases{File: b.file, Dir: b.dir, Rules: defaultSubscriber()}
	if in.Manifest != nil {
		b.fromManifest(c, in)
	} else if in.Subscriber != nil {
		c.Rules.Name = *in.Subscriber
	}
	if in.Module != nil {
		c.Module = b.path(source{value: *in.Module})
	}
	if c.Module == "" && !b.told["module"] && !b.told["manifest"] {
		b.add(position{1, 1}, "", `write module = "plugins/hello.wasm", or manifest = "avxrt.toml" and subscriber = "hello"`, "no module is named")
	}
	if c.Rules.Name == "" {
		c.Rules.Name = strings.TrimSuffix(filepath.Base(c.Module), ".wasm")
	}
	b.limits(top, rules, &c.Rules)
	if rules.Emits != nil {
		c.Rules.Emits = b.patterns(top+".emits", rules.Emits)
	}
	c.Rules.Config = over(c.Rules.Config, rules.Config)
	if len(in.Cases) == 0 && !b.told["case"] {
		b.add(position{1, 1}, "", "write one: [[case]] and below it [[case.event]]", "there is no case")
	}
	seen := map[string]bool{}
	for i := range in.Cases {
		at := fmt.Sprintf("case[%d]", i)
		one := b.one(at, &in.Cases[i])
		if one.Name == "" || seen[one.Name] {
			b.bad(at+".name", "give each case a name of its own", "%q is missing or taken", one.Name)
		}
		seen[one.Name] = true
		c.Cases = append(c.Cases, one)
	}
	return c
}

// fromManifest takes module and rules from a subscriber.
func (b *caseBuilder) fromManifest(c *Cases, in *rawCases) {
	path := b.path(source{value: *in.Manifest})
	m, err := Load(path, nil)
	if err != nil {
		b.errs = append(b.errs, err)
		return
	}
	var found *Subscriber
	switch {
	case in.Subscriber != nil:
		found = m.Subscriber(*in.Subscriber)
	case len(m.Subscribers) == 1:
		found = &m.Subscribers[0]
	}
	if found == nil {
		b.bad(top+".subscriber", "name one of the manifest's", "the subscriber is not in %s, or not named here although there are several", *in.Manifest)
		return
	}
	c.Rules, c.Module = *found, m.File(found)
}

// over lays one map over another.
func over(below, above map[string]string) map[string]string {
	out := maps.Clone(below)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, above)
	return out
}

func (b *caseBuilder) one(at string, in *rawCase) Case {
	c := Case{Name: in.Name, Line: b.at[at].line, Config: in.Config, State: in.State, After: in.After}
	if len(in.Events) == 0 {
		b.bad(at+".event", "write at least one [[case.event]]", "case %q has no event", in.Name)
	}
	for i := range in.Events {
		key := at + ".event" // they are written as one list
		if _, ok := b.at[key]; !ok {
			key = fmt.Sprintf("%s[%d]", key, i)
		}
		c.Events = append(c.Events, b.event(key, &in.Events[i]))
	}
	return c
}

// kinds are what a case may call an event.
var kinds = map[string]abi.Kind{"event": abi.KindEvent, "timer": abi.KindTimer, "control": abi.KindControl}

func (b *caseBuilder) event(at string, in *rawCaseEvent) CaseEvent {
	ev := CaseEvent{
		Line: b.at[at].line, Topic: in.Topic, Key: in.Key, ContentType: in.ContentType, ID: in.ID, Source: in.Source, Headers: in.Headers,
	}
	if in.Topic == "" {
		b.bad(at+".topic", "", "the event has no topic")
	}
	if in.Data != nil {
		ev.Data = *in.Data
	}
	if in.DataFile != nil {
		if in.Data != nil {
			b.bad(at+".data_file", "leave one of them out", "there is data as well")
		}
		ev.DataFile = b.path(source{value: *in.DataFile})
	}
	if in.Kind != nil {
		ok := false
		if ev.Kind, ok = kinds[*in.Kind]; !ok {
			b.bad(at+".kind", "use event, timer or control", "%q is unknown", *in.Kind)
		}
	}
	attempt, version := 0, 0
	b.between(at+".attempt", in.Attempt, &attempt, 1, 1000)
	b.between(at+".version", in.Version, &version, 1, math.MaxInt)
	ev.Attempt, ev.Version = uint32(attempt), uint64(version)
	if in.Time != nil {
		var err error
		if ev.Time, err = time.Parse(time.RFC3339Nano, *in.Time); err != nil {
			b.bad(at+".time", `write it like "2026-01-01T00:00:00Z"`, "%q is no RFC 3339 time", *in.Time)
		}
	}
	ev.Want = b.want(at, in)
	return ev
}

// ends are the ends of an event, as package trial calls them.
var ends = []string{"handled", "retry", "reject", "skip", "stop", "trap", "did not start"}

func (b *caseBuilder) want(at string, in *rawCaseEvent) Want {
	w := Want{Ends: ends[0], Reason: in.Reason, Changes: in.Changes, Deletes: in.Deletes, Logs: in.Logs, Reply: in.Reply}
	w.State = in.Changes != nil || in.Deletes != nil
	if in.Ends != nil {
		if w.Ends = *in.Ends; !slices.Contains(ends, w.Ends) {
			b.bad(at+".ends", "use "+strings.Join(ends, ", "), "%q is unknown", w.Ends)
		}
	}
	if in.Fuel != nil {
		w.Fuel = b.count(at+".fuel", *in.Fuel)
	}
	for i := range in.Emits {
		key := at + ".emits"
		if _, ok := b.at[key]; !ok {
			key = fmt.Sprintf("%s[%d]", key, i)
		}
		w.Emits = append(w.Emits, b.wantEmit(key, &in.Emits[i]))
	}
	return w
}

// maxWait bounds what a case may say of a timer.
const maxWait = 100 * 365 * 24 * time.Hour

func (b *caseBuilder) wantEmit(at string, in *rawWantEmit) WantEmit {
	w := WantEmit{Topic: in.Topic, Key: in.Key, Data: in.Data, ContentType: in.ContentType, Headers: in.Headers, Timer: in.Timer, Cancel: in.Cancel}
	switch {
	case in.Cancel && in.Timer == nil:
		b.bad(at+".timer", "name the timer that is cancelled", "no timer is named")
	case in.Topic == "" && !in.Cancel:
		b.bad(at+".topic", "", "what is emitted has no topic")
	}
	if in.Version != nil {
		version := 0
		b.between(at+".version", in.Version, &version, 1, math.MaxInt)
		expected := uint64(version)
		w.Version = &expected
	}
	if in.In != nil {
		wait := b.duration(at+".in", *in.In, -maxWait, maxWait)
		w.In = &wait
	}
	return w
}
