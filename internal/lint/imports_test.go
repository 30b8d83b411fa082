package lint

import (
	"fmt"
	"strings"
	"testing"
)

// allowed is the law of imports: what each package of ours may import of ours, its tests
// excepted. A package that is not here may import nothing of ours, and nobody may import it
// but those who name it.
var allowed = map[string][]string{
	"abi":                     {},
	"router":                  {},
	"sdk/go":                  {},
	"abi/abitest":             {},
	"plugins":                 {},
	"internal/wasmbin":        {},
	"internal/nearest":        {},
	"internal/catalogue":      {},
	"internal/watch":          {},
	"internal/devloop":        {"runtime", "internal/build", "internal/catalogue", "internal/manifest", "internal/rehearsal", "internal/watch"},
	"internal/doctor":         {"internal/build", "internal/client", "internal/manifest", "internal/sandbox", "internal/wire", "log"},
	"internal/reference":      {"internal/catalogue", "internal/manifest"},
	"internal/fault":          {},
	"internal/hostile":        {},
	"internal/fault/table":    {"internal/fault"},
	"internal/shop":           {},
	"internal/rehearsal":      {},
	"internal/lint":           {},
	"internal/delivery":       {"abi"},
	"internal/cloudevents":    {"abi"},
	"internal/wire":           {"internal/rehearsal"},
	"internal/client":         {"abi", "internal/cloudevents", "internal/rehearsal", "internal/wire"},
	"internal/sandbox":        {"abi", "internal/wasmbin"},
	"internal/manifest":       {"abi", "router", "internal/nearest"},
	"internal/trial":          {"abi", "router", "internal/sandbox"},
	"internal/build":          {"internal/manifest", "internal/nearest"},
	"sdk":                     {},
	"internal/scaffold":       {"internal/build", "internal/manifest", "internal/reference", "sdk"},
	"internal/cases":          {"abi", "internal/manifest", "internal/sandbox", "internal/trial"},
	"log":                     {"abi", "internal/cloudevents"},
	"internal/audit":          {"abi", "log"},
	"runtime":                 {"abi", "router", "internal/nearest", "internal/watch", "log", "internal/delivery", "internal/sandbox", "internal/manifest", "internal/rehearsal"},
	"internal/httpapi":        {"internal/catalogue", "runtime", "abi", "router", "log", "internal/cloudevents", "internal/wire"},
	"internal/telemetry":      {"internal/nearest", "runtime", "abi", "router", "log"},
	"plugins/email":           {"sdk/go"},
	"abi/abitest/goguest":     {"sdk/go"},
	"bench/guests/langgo":     {"sdk/go"},
	"examples/09-swap/totals": {"sdk/go"},
	"cmd/avxrt":               {"*"},
	"bench":                   {"*"},
	"bench/guests/go":         {},

	"examples/06-retry/convert": {"sdk/go"},
	"examples/10-languages/go":  {"sdk/go"},
	"examples/11-embed":         {"abi", "log", "runtime"},
}

// owned are dependencies that one package fences; nobody else imports them, tests and
// bench excepted.
var owned = map[string]string{
	"github.com/cockroachdb/pebble/":      "log",
	"github.com/tetratelabs/wazero":       "internal/sandbox",
	"github.com/BurntSushi/toml":          "internal/manifest",
	"github.com/prometheus/client_golang": "internal/telemetry",
	"github.com/spf13/cobra":              "cmd/avxrt",
	"github.com/spf13/pflag":              "cmd/avxrt",
	"github.com/oklog/run":                "cmd/avxrt",
	"github.com/fsnotify/fsnotify":        "internal/watch",
}

// forbidden are imports with the remedy.
var forbidden = map[string]string{
	"log":                            "use log/slog, with a *slog.Logger called logger",
	"github.com/stretchr/testify":    "use the standard testing package and go-cmp",
	"github.com/google/uuid":         "runtime makes the ids",
	"github.com/hashicorp/go-plugin": "package internal/provider will own it",
}

func importProblems(f file) []string {
	var out []string
	for p, name := range f.imports() {
		for prefix, owner := range owned {
			if strings.HasPrefix(p, prefix) && f.dir != owner && !f.test && f.dir != "bench" {
				out = append(out, fmt.Sprintf("%s imports %s, which package %s owns: ask that package", f.path, p, owner))
			}
		}
		for bad, remedy := range forbidden {
			if p == bad || strings.HasPrefix(p, bad+"/") && bad != "log" {
				out = append(out, fmt.Sprintf("%s imports %s: %s", f.path, p, remedy))
			}
		}
		if ours, ok := strings.CutPrefix(p, modulePath); ok {
			out = append(out, ourProblems(f, ours)...)
		}
		if p == "runtime" && name != "goruntime" && f.importsOurRuntime() {
			out = append(out, f.path+" imports the standard runtime beside ours: call it goruntime")
		}
		if strings.Contains(name, "_") && name != "_" {
			out = append(out, f.path+": the import name "+name+" has an underscore; join the words")
		}
	}
	return out
}

func (f file) importsOurRuntime() bool {
	_, ok := f.imports()[modulePath+"runtime"]
	return ok
}

func ourProblems(f file, ours string) []string {
	if strings.HasPrefix(ours, "cmd/") {
		return []string{f.path + " imports " + ours + ": nobody imports a command"}
	}
	if f.test {
		return nil
	}
	for _, may := range allowed[f.dir] {
		if may == ours || may == "*" {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s imports %s, which the law of imports does not allow %s: see docs/architecture.md", f.path, ours, f.dir)}
}

func TestImports(t *testing.T) {
	for _, f := range tree(t) {
		for _, p := range importProblems(f) {
			t.Error(p)
		}
		if _, known := allowed[f.dir]; !known && !f.test {
			t.Errorf("%s: package %s is not in the law of imports; give it a place there", f.path, f.dir)
		}
	}
}

// TestImportsCanFail shows each rule a source that breaks it.
func TestImportsCanFail(t *testing.T) {
	for path, source := range map[string]string{
		"../../router/x.go":           `package router; import _ "github.com/avx-platform/avxrt/abi"`,
		"../../abi/x.go":              `package abi; import _ "github.com/cockroachdb/pebble/v2"`,
		"../../runtime/x.go":          `package runtime; import _ "log"`,
		"../../runtime/x_test.go":     `package runtime; import _ "github.com/stretchr/testify/assert"`,
		"../../log/x_test.go":         `package log; import _ "github.com/avx-platform/avxrt/cmd/avxrt"`,
		"../../internal/httpapi/x.go": "package httpapi; import _ \"runtime\"; import _ \"github.com/avx-platform/avxrt/runtime\"",
		"../../log/y.go":              `package log; import a_b "fmt"; var _ = a_b.Sprint`,
	} {
		if len(importProblems(parse(t, path, source))) == 0 {
			t.Errorf("%s: %s passes", path, source)
		}
	}
}
