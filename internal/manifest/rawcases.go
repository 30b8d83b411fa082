package manifest

import (
	"slices"
	"strings"
)

// rawCases is the shape of a file of cases. What it shares with a subscriber (emits, limits,
// config) is read as one.
type rawCases struct {
	Manifest   *string   `toml:"manifest"`
	Subscriber *string   `toml:"subscriber"`
	Module     *string   `toml:"module"`
	Cases      []rawCase `toml:"case"`
}

type rawCase struct {
	Name   string            `toml:"name"`
	Config map[string]string `toml:"config"`
	State  map[string]string `toml:"state"`
	After  map[string]string `toml:"after"`
	Events []rawCaseEvent    `toml:"event"`
}

type rawCaseEvent struct {
	Topic       string            `toml:"topic"`
	Key         string            `toml:"key"`
	Data        *string           `toml:"data"`
	DataFile    *string           `toml:"data_file"`
	ContentType string            `toml:"content_type"`
	ID          string            `toml:"id"`
	Source      string            `toml:"source"`
	Kind        *string           `toml:"kind"`
	Version     *int              `toml:"version"`
	Attempt     *int              `toml:"attempt"`
	Time        *string           `toml:"time"`
	Headers     map[string]string `toml:"headers"`

	Ends    *string           `toml:"ends"`
	Reason  string            `toml:"reason"`
	Emits   []rawWantEmit     `toml:"emits"`
	Changes map[string]string `toml:"changes"`
	Deletes []string          `toml:"deletes"`
	Logs    []string          `toml:"logs"`
	Reply   *string           `toml:"reply"`
	Fuel    *string           `toml:"fuel"`
}

type rawWantEmit struct {
	Topic       string            `toml:"topic"`
	Key         *string           `toml:"key"`
	Data        *string           `toml:"data"`
	ContentType *string           `toml:"content_type"`
	Headers     map[string]string `toml:"headers"`
	Version     *int              `toml:"version"`
	In          *string           `toml:"in"`
	Timer       *string           `toml:"timer"`
	Cancel      bool              `toml:"cancel"`
}

// vocabulary is what keys a kind of file has.
type vocabulary struct {
	known []string // paths without indices
	later []string // known, but not in this version
	free  []string // tables whose keys are the writer's own
	lists []string // tables that are written [[…]]
}

// manifestWords are those of avxrt.toml.
var manifestWords = vocabulary{known: knownKeys, later: laterKeys, free: []string{"subscriber.config"}, lists: []string{"subscriber"}}

// caseWords are those of *.avx.toml. The limits are those of a subscriber.
var caseWords = vocabulary{
	known: slices.Concat([]string{
		"manifest", "subscriber", "module", "emits", "config",
		"case", "case.name", "case.config", "case.state", "case.after",
		"case.event", "case.event.topic", "case.event.key", "case.event.data", "case.event.data_file", "case.event.content_type", "case.event.id",
		"case.event.source", "case.event.kind", "case.event.version", "case.event.attempt", "case.event.time", "case.event.headers",
		"case.event.ends", "case.event.reason", "case.event.changes", "case.event.deletes", "case.event.logs", "case.event.reply", "case.event.fuel",
		"case.event.emits", "case.event.emits.topic", "case.event.emits.key", "case.event.emits.data", "case.event.emits.content_type",
		"case.event.emits.headers", "case.event.emits.version", "case.event.emits.in", "case.event.emits.timer", "case.event.emits.cancel",
	}, limitKeys()),
	free:  []string{"config", "case.config", "case.state", "case.after", "case.event.headers", "case.event.changes", "case.event.emits.headers"},
	lists: []string{"case", "case.event", "case.event.emits"},
}

func limitKeys() (out []string) {
	for _, key := range knownKeys {
		if rest, ok := strings.CutPrefix(key, "subscriber."); ok && strings.HasPrefix(rest, "limits") {
			out = append(out, rest)
		}
	}
	return out
}

// knows says whether a key may stand in the file.
func (v *vocabulary) knows(key string) bool {
	if slices.Contains(v.known, key) {
		return true
	}
	return slices.ContainsFunc(v.free, func(table string) bool { return strings.HasPrefix(key, table+".") })
}
