package manifest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/internal/manifest"
)

// TestTypesAtOnce: every value of another type is told, with its place and what to write, and
// so is what else is wrong.
func TestTypesAtOnce(t *testing.T) {
	const text = `[plugins]
watch = "false"
[[subscriber]]
name = "a"
module = 7
topics = "x"
emits = ["a", 1]
verify = "0.5"
partitions = 1.5
limits = { fuel = 1000, time = 5, memory = "16MB" }
config = { fine = "1", big = 10, on = true }
[[subscriber]]
name = "b"
module = "b.wasm"
topics = ["x"]
on_poison = false
start = 2026-01-01T00:00:00Z
state_version = "many"
swap = "shadow"
[subscriber.retry]
attempts = "3"
`
	const want = `manifest:2:1: plugins.watch: "false" is a string, not true or false; write it without quotes: watch = false
manifest:5:1: module: 7 is an integer, not a string; write it in quotes: module = "7"
manifest:6:1: topics: "x" is a string, not a list of strings; write a list: topics = ["x"]
manifest:7:1: emits: [ … ] is a list, not a list of strings; write each item in quotes: emits = ["…", "…"]
manifest:9:1: partitions: 1.5 is a number, not an integer; write for example partitions = 3
manifest:10:12: limits.fuel: 1000 is an integer, not a string; write it in quotes: fuel = "1000"
manifest:10:25: limits.time: 5 is an integer, not a string; write it in quotes and with a unit, for example time = "10s"
manifest:8:1: verify: "0.5" is a string, not a number; write it without quotes: verify = 0.5
manifest:11:24: config.big: 10 is an integer, not a string; write it in quotes: big = "10"
manifest:11:34: config.on: true is a boolean, not a string; write it in quotes: on = "true"
manifest:17:1: start: 2026-01-01T00:00:00Z is a date, not a string; write it in quotes: start = "2026-01-01T00:00:00Z"
manifest:18:1: state_version: "many" is a string, not an integer; write for example state_version = 3
manifest:21:1: retry.attempts: "3" is a string, not an integer; write it without quotes: attempts = 3
manifest:16:1: on_poison: false is a boolean, not a string; use "park", "block", "skip" or "stop"
manifest:19:1: swap: "shadow" is a string, not a table; write swap = { … }
manifest:10:35: limits.memory: "16MB" is no size; write it like 16MiB, between 64KiB and 1GiB`
	_, err := manifest.Parse([]byte(text), ".", none)
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// TestTablesOfAnotherShape: a table where a list of them belongs, and other things in place of tables.
func TestTablesOfAnotherShape(t *testing.T) {
	for text, want := range map[string]string{
		"[subscriber]\nname = \"a\"\n":                  `manifest:1:2: subscriber: { … } is a table, not a list of tables; write [[subscriber]] with two brackets`,
		"subscriber = 1\n":                              `manifest:1:1: subscriber: 1 is an integer, not a list of tables; write [[subscriber]] and its keys below`,
		"node = [1]\n":                                  `manifest:1:1: node: [ … ] is a list, not a table; write node = { … }`,
		"[[subscriber]]\nname = Fraud\n":                `manifest:2:8: subscriber.name: expected value but found "Fraud" instead; write it in quotes: "Fraud"`,
		"[plugins]\nwatch = yes\n":                      `plugins.watch: expected value but found "yes" instead; use true or false`,
		"[[subscriber]]\nretry = { attempts = five }\n": `retry.attempts: expected value but found "five" instead; write a number`,
		"[log]\nmin_free = 10MiB\n":                     `; if it is a size, a time or a count, write it in quotes: "16MiB", "10s", "50M"`,
		"[[subscriber]]\nlimits = { time = 5s }\n":      `; if it is a size, a time or a count, write it in quotes: "16MiB", "10s", "50M"`,
		"subscriber = [{ name = 1 }]\nnode.id = [1]":    `manifest:1:17: name: 1 is an integer, not a string; write it in quotes: name = "1"`,
	} {
		if _, err := manifest.Parse([]byte(text), ".", none); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

// TestTypesOfCases: a file of cases is told of in the same way, each place once.
func TestTypesOfCases(t *testing.T) {
	const text = `module = "m.wasm"
emits = "a.*"
config = { n = 1 }
[[case]]
name = "one"
[[case.event]]
topic = "a"
[[case]]
name = 2
[case.state]
n = 1
[[case.event]]
topic = "a"
data = 5
`
	const want = `:9:1: name: 2 is an integer, not a string; write it in quotes: name = "2"
:11:1: state.n: 1 is an integer, not a string; write it in quotes: n = "1"
:14:1: data: 5 is an integer, not a string; write it in quotes: data = "5"
:2:1: emits: "a.*" is a string, not a list of strings; write a list: emits = ["a.*"]
:3:12: config.n: 1 is an integer, not a string; write it in quotes: n = "1"`
	path := filepath.Join(t.TempDir(), "m"+manifest.CasesSuffix)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := manifest.LoadCases(path)
	if err == nil || strings.ReplaceAll(err.Error(), path, "") != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
