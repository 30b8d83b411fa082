package manifest_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/manifest"
)

const good = `
[node]
id = "br-1"
data = "store"

[plugins]
idle_memory = "64MiB"

[[subscriber]]
name   = "inventory"
module = "inventory.wasm"
topics = ["orders.*", "stock.**"]
emits  = ["inventory.**", "$effect.smtp.send"]
start  = "seq:5"
limits = { time = "1s", memory = "8MiB", emits = 10, fuel = "2M", depth = 100, emit_bytes = "4KiB", state_bytes = "1MiB", log_lines = 3 }
retry  = { attempts = 3, backoff = "10ms..2s" }
swap = { mode = "shadow", events = 50, require = "same" }
on_poison = "stop"
config = { low_stock = "5" }
`

func none(string) (string, bool) { return "", false }

func TestParse(t *testing.T) {
	m, err := manifest.Parse([]byte(good), "/srv/x", none)
	if err != nil {
		t.Fatal(err)
	}
	s := m.Subscribers[0]
	if m.Node.ID != "br-1" || m.Node.Data != "/srv/x/store" || m.Plugins.Dir != "/srv/x/plugins" || m.HTTP.Listen != "127.0.0.1:7080" || !m.Plugins.Watch || m.Plugins.IdleMemory != 64<<20 || m.Log.Durability != "durable" {
		t.Errorf("got %+v", m)
	}
	if s.Name != "inventory" || len(s.Topics) != 2 || s.Emits[1].String() != "$effect.smtp.send" || s.Start.Seq != 5 || s.OnPoison != "stop" || s.Config["low_stock"] != "5" {
		t.Errorf("got %+v", s)
	}
	if s.Swap != (manifest.Swap{Mode: "shadow", Events: 50, Require: "same"}) {
		t.Errorf("got %+v", s.Swap)
	}
	if s.Limits != (manifest.Limits{Fuel: 2_000_000, Time: time.Second, Memory: 8 << 20, Depth: 100, Emits: 10, EmitBytes: 4 << 10, StateBytes: 1 << 20, LogLines: 3, Timers: 100_000}) || s.Retry != (manifest.Retry{Attempts: 3, Min: 10 * time.Millisecond, Max: 2 * time.Second}) {
		t.Errorf("got %+v %+v", s.Limits, s.Retry)
	}
}

func TestEnvironmentWins(t *testing.T) {
	env := map[string]string{"AVXRT_HTTP_LISTEN": "localhost:0", "AVXRT_NODE_DATA": "here", "AVXRT_PLUGINS_WATCH": "false", "AVXRT_LOG_DURABILITY": "accepted"}
	m, err := manifest.Parse([]byte(good), "/srv/x", func(k string) (string, bool) { v, ok := env[k]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	here, _ := filepath.Abs("here")
	if m.HTTP.Listen != "localhost:0" || m.Node.Data != here || m.Plugins.Watch || m.Log.Durability != "accepted" {
		t.Errorf("got %+v", m)
	}
	_, err = manifest.Parse(nil, ".", func(k string) (string, bool) { return "0.0.0.0:1", k == "AVXRT_HTTP_LISTEN" })
	if err == nil || !strings.Contains(err.Error(), "AVXRT_HTTP_LISTEN") || !strings.Contains(err.Error(), "tokens") {
		t.Errorf("got %v", err)
	}
}

func TestErrors(t *testing.T) {
	sub := "[[subscriber]]\nname = \"a\"\nmodule = \"a.wasm\"\ntopics = [\"x\"]\n"
	tests := []struct{ name, text, want string }{
		{"idle memory", "[plugins]\nidle_memory = \"none\"", `:2:1: plugins.idle_memory: "none" is no size; write it like 16GiB, between 64KiB and 1024GiB`},
		{"unknown key", "[node]\nidd = \"x\"", `manifest:2:1: unknown key "idd" in [node]; did you mean "id"?`},
		{"unknown key in subscriber", sub + "mach = 1", `:5:1: unknown key "mach" in [[subscriber]]; known here: name, module`},
		{"unknown key inline", sub + "limits = { tyme = \"1s\" }", `:5:12: unknown key "tyme" in [subscriber.limits]; did you mean "time"?`},
		{"unknown table", "[nod]\nid = 1", `:1:2: unknown key "nod" at the top; did you mean "node"?`},
		{"later", "[[provider]]\nname = \"smtp\"", `:1:3: "provider" is known, but not available in this version`},
		{"syntax", "[node]\nid = ", ":2:"},
		{"type", "[node]\nid = 5", ":2:"},
		{"pattern", sub + "emits = [\"a\", \"users*\"]", `:5:1: emits: pattern "users*": a wildcard must be a whole segment; write users.*`},
		{"module outside", "[[subscriber]]\nname = \"a\"\nmodule = \"../a.wasm\"\ntopics = [\"x\"]", `:3:1: module: "../a.wasm" is not inside of plugins.dir`},
		{"no topics", "[[subscriber]]\nname = \"a\"\nmodule = \"a.wasm\"", "topics: no topics"},
		{"bad name", "[[subscriber]]\nname = \"A b\"\nmodule = \"a.wasm\"\ntopics = [\"x\"]", `:2:1: name: "A b" is no name`},
		{"twice", sub + sub, `:6:1: name: "a" is taken`},
		{"time", sub + "limits = { time = \"forever\" }", `:5:12: limits.time: "forever" is no duration`},
		{"memory", sub + "limits = { memory = \"16MB\" }", `limits.memory: "16MB" is no size`},
		{"depth", sub + "limits = { depth = 1901 }", `:5:12: limits.depth: 1901 is not between 16 and 1900`},
		{"log lines", sub + "limits = { log_lines = 0 }", `limits.log_lines: 0 is not between 1 and 10000`},
		{"emit bytes", sub + "limits = { emit_bytes = \"2MiB\" }", `limits.emit_bytes: "2MiB" is no size; write it like 16KiB, between 1KiB and 1MiB`},
		{"state bytes", sub + "limits = { state_bytes = \"17MiB\" }", `limits.state_bytes: "17MiB" is no size; write it like 256KiB, between 1KiB and 16MiB`},
		{"backoff", sub + "retry = { backoff = \"5s..1s\" }", "write the shorter one first"},
		{"start", sub + "start = \"never\"", `start: "never" is unknown`},
		{"partitions", sub + "partitions = 65", "65 partitions are not possible"},
		{"swap", sub + "swap = { mode = \"rolling\" }", `:5:10: swap.mode: "rolling" is unknown; use "immediate", "shadow" or "canary"`},
		{"swap mode misspelt", sub + "swap = { mode = \"shaddow\" }", `did you mean "shadow"?`},
		{"swap key misspelt", sub + "swap = { mod = \"shadow\" }", `unknown key "mod" in [subscriber.swap]; did you mean "mode"?`},
		{"swap events", sub + "swap = { mode = \"canary\", events = 0 }", `swap.events: 0 is not between 1 and 100000`},
		{"swap events of nothing", sub + "swap = { events = 5 }", `swap.events: without a rehearsal or a trial there are no events; add mode`},
		{"swap require", sub + "swap = { mode = \"shadow\", require = \"smae\" }", `swap.require: "smae" is unknown; did you mean "same"?`},
		{"swap require of a canary", sub + "swap = { mode = \"canary\", require = \"same\" }", `only a rehearsal compares`},
		{"listen", "[http]\nlisten = \"0.0.0.0:80\"", `:2:1: http.listen: "0.0.0.0" is not a loopback address`},
		{"nesting", "a = " + strings.Repeat("[", 10_000), "nested deeper than 16"},
		{"inline nesting", strings.Repeat("a = {", 10_000), "nested deeper than 16"},
		{"dots", strings.Repeat("a.", 10_000) + "a = 1", "more than 16 dots"},
		{"size", strings.Repeat("#", 300<<10), "at most 262144"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := manifest.Parse([]byte(tt.text), ".", none); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// TestAllAtOnce reports every problem of a text together.
func TestAllAtOnce(t *testing.T) {
	_, err := manifest.Parse([]byte("[node]\nidd = 1\n[http]\nlisten = \"x\"\n[[subscriber]]\nname = \"?\"\n"), ".", none)
	if n := strings.Count(err.Error(), "\n") + 1; n != 5 {
		t.Fatalf("%d problems, want 5:\n%v", n, err)
	}
}

func TestLoadWantsAFile(t *testing.T) {
	dir := t.TempDir()
	file, link, pipe := filepath.Join(dir, "a.toml"), filepath.Join(dir, "l.toml"), filepath.Join(dir, "p.toml")
	if err := os.WriteFile(file, []byte(good), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	project := t.TempDir()
	if err := os.WriteFile(filepath.Join(project, "avxrt.toml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := manifest.Load(project, nil); err == nil || !strings.HasSuffix(err.Error(), "is not a regular file; did you mean "+filepath.Join(project, "avxrt.toml")+"?") {
		t.Errorf("a folder with a manifest: %v", err)
	}
	for path, want := range map[string]string{dir: "not a regular file", link: "symbolic link", pipe: "not a regular file", dir + "/none": "does not exist"} {
		if _, err := manifest.Load(path, none); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	if m, err := manifest.Load(file, none); err != nil || m.Path != file || m.Node.Data != filepath.Join(dir, "store") {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestDiff(t *testing.T) {
	parse := func(text string) *manifest.Manifest {
		m, err := manifest.Parse([]byte(text), ".", none)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	old, changed := parse(good), parse(strings.Replace(strings.Replace(good, "br-1", "br-2", 1), "emits = 10", "emits = 11", 1))
	if c := manifest.Diff(old, changed); len(c.Changed) != 1 || len(c.Restart) != 1 || c.Restart[0] != "node.id" || c.Added != nil || c.Removed != nil {
		t.Errorf("got %+v", c)
	}
	if c := manifest.Diff(old, parse("")); len(c.Removed) != 1 || c.Removed[0] != "inventory" {
		t.Errorf("got %+v", c)
	}
	if c := manifest.Diff(parse(""), old); len(c.Added) != 1 {
		t.Errorf("got %+v", c)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add("a = \"\"\"x\"\"\"\"\nb = '''\n'''\n[[subscriber]]\n[subscriber.limits]\ntime = 1")
	f.Add("a.b.c = [1, {x = 2}]")
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		m, err := manifest.Parse([]byte(text), ".", none)
		if (m == nil) == (err == nil) {
			t.Fatalf("manifest %v and error %v", m, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Fatalf("it took %v", took)
		}
	})
}
