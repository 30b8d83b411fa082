package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/avx-platform/avxrt/internal/build"
	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/wire"
)

// State is how a check ended.
type State string

// The states.
const (
	OK   State = "ok"
	Warn State = "warn" // a node runs all the same
	Fail State = "fail" // it would not
)

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"check"`
	State  State  `json:"state"`
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"` // what to do; "" where all is well
}

// Options say what to look at.
type Options struct {
	Manifest  string // path; need not exist unless Named
	Named     bool   // somebody named that manifest, so it must be there
	LookupEnv manifest.LookupEnv
	Environ   []string       // as of os.Environ; variables that are no settings are told
	Client    *client.Client // of the node that may run
	Server    string         // its address, for people
	Version   string         // of this program

	// CompileCommand compiles modules in a process of its own, as in package runtime.
	CompileCommand []string
}

// exam is one run of all checks.
type exam struct {
	Options
	manifest *manifest.Manifest // the defaults where there is no good one
	node     *wire.Status       // nil: none answers
	holder   int                // the process that has the store open, 0: none
	checks   []Check
}

// Examine does all checks, in the order in which they are shown.
func Examine(ctx context.Context, opts Options) []Check {
	e := &exam{Options: opts}
	if status, err := opts.Client.Status(ctx); err == nil {
		e.node = &status
	} else if !errors.Is(err, client.ErrNoNode) {
		e.add("node", Warn, "what answers at "+opts.Server+" is no node, or not well: "+err.Error(), "name the node by --server or AVXRT_SERVER")
	}
	e.readManifest()
	e.modules(ctx)
	e.data()
	e.address()
	e.running()
	e.clock()
	e.openFiles()
	e.toolchains(ctx)
	return e.checks
}

func (e *exam) add(name string, state State, found, remedy string) {
	e.checks = append(e.checks, Check{Name: name, State: state, Found: found, Remedy: remedy})
}

// counted writes a number of things: 1 event, 2 events.
func counted[N int | uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// readManifest checks the manifest; without a good one the others look at the defaults.
func (e *exam) readManifest() {
	if err := manifest.CheckEnviron(e.Environ); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			e.add("environment", Fail, line, "unset or correct the variable")
		}
	}
	m, err := manifest.Load(e.Manifest, e.LookupEnv)
	if err == nil {
		e.manifest = m
		e.add("manifest", OK, fmt.Sprintf("%s is fine: %s", e.Manifest, counted(len(m.Subscribers), "subscriber")), "")
		for _, c := range m.Cycles() {
			e.add("manifest", Warn, c.String(), "see avxrt lint")
		}
		for _, miss := range m.NearMisses() {
			e.add("manifest", Warn, miss, "correct the topic, if it is not meant")
		}
		return
	}
	_, absent := os.Lstat(e.Manifest)
	if errors.Is(absent, fs.ErrNotExist) && !e.Named {
		e.add("manifest", Warn, "there is no "+e.Manifest+" here, so the defaults are looked at", "name one, or make one with avxrt new NAME")
	} else {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			e.add("manifest", Fail, line, "correct it; docs/manifest.md lists every key")
		}
	}
	if e.manifest, err = manifest.Parse(nil, ".", e.LookupEnv); err != nil { // it is the environment that is wrong
		e.manifest = manifest.Default()
		e.add("environment", Fail, err.Error(), "unset or correct the variable")
	}
}

// toolchains looks for the compilers. One suffices, so none is a failure.
func (e *exam) toolchains(ctx context.Context) {
	for _, lang := range build.Languages() {
		tools, err := build.Check(ctx, lang, "")
		var missing *build.MissingError
		switch {
		case err == nil:
			e.add("tools: "+string(lang), OK, tools.Version, "")
		case errors.As(err, &missing):
			e.add("tools: "+string(lang), Warn, missing.Reason+", so modules in it cannot be built", "Debian: "+missing.Debian+". Homebrew: "+missing.Brew)
		default:
			e.add("tools: "+string(lang), Warn, err.Error(), "see avxrt build --check")
		}
	}
}
