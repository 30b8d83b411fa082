package main_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/avx-platform/avxrt/internal/build"
	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/cloudevents"
	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/shop"
)

// realOrders is a week of real orders, which lies beside the repository where it is.
const realOrders = "../../../shared/data/orders.jsonl"

// patience bounds every wait of a script; a script that needs it fails.
const patience = 2 * time.Minute

// TestScripts runs the stories in testdata/script against the real program.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("EXAMPLES", filepath.Join(root, "examples"))
			env.Setenv("PROBE", filepath.Join(root, "internal/sandbox/testdata/probe.wasm"))
			env.Setenv("AVXRT_HTTP_LISTEN", "127.0.0.1:0")
			env.Setenv("AVXRT_NODE_DATA", filepath.Join(env.WorkDir, "data"))
			env.Setenv("SDK", filepath.Join(root, "sdk"))
			env.Setenv("PROGRAM", program)
			return toolchains(env)
		},
		Condition: func(name string) (bool, error) {
			if lang := build.Language(name); slices.Contains(build.Languages(), lang) {
				_, err := build.Check(context.Background(), lang, filepath.Join(root, "sdk", name)) // for node_modules
				return err == nil, nil
			}
			if name == "cargo" {
				_, err := build.Check(context.Background(), build.Rust, filepath.Join(root, "sdk/rust"))
				return err == nil, nil
			}
			if name != "real-orders" {
				return false, fmt.Errorf("condition %q is unknown", name)
			}
			_, err := os.Stat(realOrders)
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "serving": serving, "eventually": eventually, "orders": writeOrders, "totals": checkScriptTotals,
			"module": writeModule,
		},
	})
}

// toolchains gives the compilers in scripts, which have no home, what they keep there, and
// takes the network from them.
func toolchains(env *testscript.Env) error {
	env.Setenv("GOPROXY", "off")
	env.Setenv("GOTOOLCHAIN", "local")
	env.Setenv("GOPATH", filepath.Join(env.WorkDir, ".gopath"))
	if out, err := exec.Command("go", "env", "GOCACHE").Output(); err == nil {
		env.Setenv("GOCACHE", strings.TrimSpace(string(out)))
	}
	env.Setenv("CARGO_HOME", filepath.Join(env.WorkDir, ".cargo"))
	if home, err := os.UserHomeDir(); err == nil && os.Getenv("RUSTUP_HOME") == "" {
		env.Setenv("RUSTUP_HOME", filepath.Join(home, ".rustup"))
	}
	return nil
}

// exits CODE PROGRAM ARGS… demands an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	code := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

// poll calls done until it says so, at first soon and then each tenth of a second: most calls
// start a process, which takes the processor from what they wait for.
func poll(ts *testscript.TestScript, what string, done func() bool) {
	deadline := time.Now().Add(patience)
	for pause := 10 * time.Millisecond; !done(); pause = min(2*pause, 100*time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("waited %v for %s", patience, what)
		}
		<-time.After(pause)
	}
}

// serving FILE waits for a node's --port-file and makes the node the one that verbs talk to.
func serving(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serving FILE")
	}
	poll(ts, args[0], func() bool {
		address, err := os.ReadFile(ts.MkAbs(args[0]))
		ts.Setenv("AVXRT_SERVER", strings.TrimSpace(string(address)))
		return err == nil
	})
}

// eventually REGEXP PROGRAM ARGS… runs a program until what it prints matches.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually REGEXP PROGRAM ARGS…")
	}
	want, err := regexp.Compile(args[0])
	ts.Check(err)
	poll(ts, args[0], func() bool {
		_ = ts.Exec(args[1], args[2:]...) // what it prints decides
		return want.MatchString(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	})
}

// writeOrders FILE real|SEED NUMBER [REQUESTS] writes orders, and requests of the shop's web
// site, as CloudEvents, one a line.
func writeOrders(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: orders FILE real | orders FILE SEED NUMBER [REQUESTS]")
	}
	if args[1] == "real" {
		text, err := os.ReadFile(realOrders)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o644))
		return
	}
	seed, err := strconv.ParseUint(args[1], 10, 64)
	ts.Check(err)
	number, err := strconv.Atoi(args[2])
	ts.Check(err)
	requests := 0
	if len(args) > 3 {
		requests, err = strconv.Atoi(args[3])
		ts.Check(err)
	}
	var text []byte
	for _, o := range shop.Generate(shop.Options{Seed: seed, Orders: number, Requests: requests, Poison: true}) {
		ev := toEvent(o)
		text = append(cloudevents.AppendJSON(text, &ev), '\n')
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o644))
}

// checkScriptTotals FILE holds what the node's subscribers ended with against what the
// shop makes of the file, under the rules of examples/02-shop.
func checkScriptTotals(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: totals FILE")
	}
	c, err := client.New(ts.Getenv("AVXRT_SERVER"))
	ts.Check(err)
	n := &node{client: c}
	got, err := shop.Collect(n.numbers)
	ts.Check(err)
	want := shop.Expect(readOrders(ts, args[0]), shopRules)
	if want.Reserved == 0 || want.Rejected == 0 || want.Mails == 0 {
		ts.Fatalf("these orders prove nothing: %d reserved, %d rejected, %d mails", want.Reserved, want.Rejected, want.Mails)
	}
	for name := range want.DeadLetters {
		letters, err := c.DeadLetters(context.Background(), name, 0, 1000, false)
		ts.Check(err)
		got.DeadLetters[name] = int64(len(letters))
	}
	diff, err := n.siteDiff()
	ts.Check(err)
	if diff = append(diff, want.Diff(got)...); len(diff) > 0 {
		ts.Fatalf("totals differ:\n%s", strings.Join(diff, "\n"))
	}
}

// writeModule FILE NAME writes a bad version of package hostile; FILE same FROM the module
// FROM with another digest; FILE patched FROM OLD NEW the module with other bytes in it.
func writeModule(ts *testscript.TestScript, neg bool, args []string) {
	var wasm []byte
	switch {
	case neg:
		ts.Fatalf("module does not take !")
	case len(args) == 2:
		for _, v := range hostile.Versions() {
			if v.Name == args[1] {
				wasm = v.Wasm
			}
		}
	case len(args) == 3 && args[1] == "same":
		wasm = withCustomSection([]byte(ts.ReadFile(args[2])))
	case len(args) == 5 && args[1] == "patched" && len(args[3]) == len(args[4]):
		wasm = []byte(strings.ReplaceAll(ts.ReadFile(args[2]), args[3], args[4]))
	}
	if wasm == nil {
		ts.Fatalf("usage: module FILE NAME | module FILE same FROM | module FILE patched FROM OLD NEW")
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(path+".tmp", wasm, 0o644))
	ts.Check(os.Rename(path+".tmp", path))
}

func readOrders(ts *testscript.TestScript, file string) []shop.Event {
	var events []shop.Event
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile(file)))
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		ev, err := cloudevents.ParseJSON(lines.Bytes())
		ts.Check(err)
		ev = ev.Clone()
		events = append(events, shop.Event{Topic: ev.Topic, Time: time.Unix(0, ev.Time), Data: ev.Data})
	}
	ts.Check(lines.Err())
	return events
}

// TestTryAgain: a node that drains makes a verb end with 75, so that scripts can tell "later" from "wrong".
func TestTryAgain(t *testing.T) {
	draining := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"status":503,"code":"AVX2012","title":"The node is shutting down"}`)
	}))
	defer draining.Close()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "pub", "a.b", "-d", "1", "--server", draining.URL).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 75 || !strings.HasPrefix(string(out), "avxrt: AVX2012: ") {
		t.Fatalf("error %v, output %q; want exit status 75 and AVX2012", err, out)
	}
}
