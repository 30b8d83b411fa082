package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// shared is a folder for what the tests of a run share. TestMain makes it, and removes it.
var shared string

// compiler is built once, where a test asks for it.
var compiler = sync.OnceValues(func() (string, error) {
	path := filepath.Join(shared, "compiler")
	if out, err := exec.Command("go", "test", "-c", "-o", path, ".").CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

const compileVerb = "compile-module"

// TestMain is also the child that compiles. It must be the same kind of program as the
// tests, because the engine keeps what it compiled by its version, which a test does not
// know, but without the race detector, which needs memory that the limits do not give.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == compileVerb {
		limit, err := time.ParseDuration(os.Args[3])
		if err == nil {
			err = sandbox.CompileChild(os.Stdin, os.Args[2], limit)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	var err error
	if shared, err = os.MkdirTemp("", "avxrt-sandbox-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(shared)
	os.Exit(code)
}

// sharedCache returns options of an engine for tests that are not about compiling: what one of
// them has compiled the next ones find, and under the race detector the child compiles it, which takes
// a tenth of what that makes of it here. It is still this process that runs the guest. Without the
// detector this process compiles, too: it may be one for arm64, whose child would be none.
func sharedCache(t testing.TB) sandbox.Options {
	t.Helper()
	opts := sandbox.Options{CacheDir: filepath.Join(shared, "cache")}
	if raceEnabled && goruntime.GOOS == "linux" {
		path, err := compiler()
		if err != nil {
			t.Fatal(err)
		}
		opts.CompileCommand = []string{path, compileVerb}
	}
	return opts
}

// outside returns an engine that compiles in a child.
func outside(t testing.TB, dir string) *sandbox.Engine {
	t.Helper()
	if goruntime.GOOS != "linux" {
		t.Skip("the compiler's limits need Linux")
	}
	path, err := compiler()
	if err != nil {
		t.Fatal(err)
	}
	e, err := sandbox.NewEngine(context.Background(), sandbox.Options{CacheDir: dir, CompileCommand: []string{path, compileVerb}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	return e
}

// TestBombs: each is refused or loaded in time and memory, with a reason for people.
func TestBombs(t *testing.T) {
	e := outside(t, t.TempDir())
	for _, b := range hostile.Bombs() {
		t.Run(b.Name, func(t *testing.T) {
			var before, after goruntime.MemStats
			goruntime.ReadMemStats(&before)
			start, used := time.Now(), childrenTime(t)
			m, err := e.Load(context.Background(), b.Name, b.Wasm)
			took := time.Since(start)
			used = childrenTime(t) - used
			goruntime.ReadMemStats(&after)
			t.Logf("%d bytes: %v after %v, %d KiB allocated", len(b.Wasm), err, took, (after.TotalAlloc-before.TotalAlloc)>>10)
			// A busy machine stretches what the child may use of processor time.
			limit := 2*time.Second + 3*time.Second*time.Duration(len(b.Wasm))/(1<<20)
			if used > limit || took > 30*limit {
				t.Errorf("the verdict took %v and %v of processor time in the child, at most %v are right", took, used, limit)
			}
			if alloc := after.TotalAlloc - before.TotalAlloc; alloc > 512<<20 {
				t.Errorf("it made this process allocate %d MiB", alloc>>20)
			}
			if err == nil {
				if strings.HasPrefix(b.Name, "count-") {
					t.Error("it was loaded")
				}
				_ = m.Close(context.Background())
				return
			}
			if b.Name == "compile-locals" && !strings.Contains(err.Error(), "would be compiled for seconds") {
				t.Errorf("what can be seen without compiling was not: %v", err)
			}
			var le *sandbox.LoadError
			if !errors.As(err, &le) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "goroutine") {
				t.Errorf("the refusal is not for people: %q", err)
			}
		})
	}
}

// TestLoadCorpus is P8: no file can crash or stall the process that loads it.
func TestLoadCorpus(t *testing.T) {
	p := fault.Prove(t, "P8", "damaged and hostile module files", "no module file can crash or stall the runtime at load")
	e := outside(t, t.TempDir())
	r := p.Rand()
	var seeds [][]byte
	for _, g := range hostile.Guests() {
		if len(g.Wasm) < 4<<10 {
			seeds = append(seeds, g.Wasm)
		}
	}
	seeds = append(seeds, readFile(t, probe), readFile(t, "../../plugins/inventory.wasm"))
	files := fault.Size(t, 10_000, 1_000_000)
	loaded, slowest := 0, time.Duration(0)
	for range files {
		wasm := hostile.File(r, seeds)
		m, took, err := verdict(e, wasm)
		for try := 0; try < 3 && took > slowVerdict; try++ { // others may use this machine
			if m != nil {
				_ = m.Close(context.Background())
			}
			var again time.Duration
			m, again, err = verdict(e, wasm)
			took = min(took, again)
		}
		slowest = max(slowest, took)
		var le *sandbox.LoadError
		switch {
		case err == nil:
			loaded++
			runDamaged(m)
			_ = m.Close(context.Background())
		case !errors.As(err, &le) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "goroutine"):
			t.Fatalf("the refusal is not for people: %q", err)
		}
	}
	p.Injected(files)
	t.Logf("%d of %d were loaded, the slowest verdict took %v", loaded, files, slowest)
	if slowest > slowVerdict {
		t.Errorf("a verdict took %v", slowest)
	}
	if loaded == 0 || loaded == files {
		t.Error("the corpus does not tell good from bad")
	}
	// The planted breach: without the child and its limits, the compile bomb runs for long.
	for _, b := range hostile.Bombs() {
		if b.Name == "compile-fewer-locals" {
			if _, err := e.Load(context.Background(), b.Name, b.Wasm); err != nil && strings.Contains(err.Error(), "compiling it takes more than") {
				p.Breach()
			} else {
				t.Errorf("the compile bomb was not stopped by its limit: %v", err)
			}
		}
	}
}

// slowVerdict is too long for a file of package hostile, all of which are small.
const slowVerdict = 4 * time.Second

func verdict(e *sandbox.Engine, wasm []byte) (m *sandbox.Module, took time.Duration, err error) {
	start := time.Now()
	m, err = e.Load(context.Background(), "x.wasm", wasm)
	return m, time.Since(start), err
}

// runDamaged lets a module that was taken do what it does now.
func runDamaged(m *sandbox.Module) {
	config := testConfig
	config.Limits = sandbox.Limits{Fuel: 1_000_000}
	i, err := m.Instantiate(context.Background(), config, memState{})
	if err != nil {
		return
	}
	defer i.Close(context.Background())
	i.Run(context.Background(), sandbox.Batch{Next: feed(1, "emit out.x y"), State: memState{"a": "b"}})
}

// damages are what may befall an entry of the cache in the folder dir; path is the machine code.
func damages(dir string) map[string]func(path string) error {
	return map[string]func(path string) error{
		"flipped": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b[len(b)/2] ^= 1
			return os.WriteFile(path, b, 0o600)
		},
		"cut":     func(path string) error { return os.Truncate(path, 100) },
		"gone":    os.Remove,
		"no seal": func(path string) error { return os.Remove(filepath.Join(filepath.Dir(filepath.Dir(path)), "seal")) },
		"another": func(path string) error { return os.WriteFile(path+"2", []byte("x"), 0o600) },
		"link": func(path string) error {
			return errors.Join(os.Rename(path, path+".away"), os.Symlink(path+".away", path), os.Rename(path+".away", dir+"/away"))
		},
		"metered": func(path string) error {
			metered := filepath.Join(filepath.Dir(filepath.Dir(path)), "metered.wasm")
			b, err := os.ReadFile(metered)
			if err != nil {
				return err
			}
			b[len(b)/2] ^= 1
			return os.WriteFile(metered, b, 0o600)
		},
		"about gone": func(path string) error {
			return os.Remove(filepath.Join(filepath.Dir(filepath.Dir(path)), "about.json"))
		},
		"about another": func(path string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(filepath.Dir(path)), "about.json"), []byte("{}"), 0o600)
		},
		"other key": func(string) error { return os.WriteFile(filepath.Join(dir, "key"), make([]byte, 32), 0o600) },
	}
}

// TestCacheHeals damages the compiled module in every way and expects it to be made again.
func TestCacheHeals(t *testing.T) {
	dir := t.TempDir()
	machineCode := func() string {
		files, _ := filepath.Glob(filepath.Join(dir, "*-*", "*", "*"))
		if len(files) != 1 {
			t.Fatalf("the cache holds %v", files)
		}
		return files[0]
	}
	good := func(what string) {
		t.Helper()
		e := outside(t, dir)
		m, err := e.Load(context.Background(), "probe", readFile(t, probe))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if r := run(t, m, memState{}, "emit out.x y"); len(r.Emits) != 1 {
			t.Fatalf("%s: %s", what, printResult(r))
		}
	}
	good("first")
	info, err := os.Stat(machineCode())
	if err != nil {
		t.Fatal(err)
	}
	good("again")
	if again, _ := os.Stat(machineCode()); !info.ModTime().Equal(again.ModTime()) {
		t.Error("it was compiled again although it was there")
	}
	for what, damage := range damages(dir) {
		before, err := os.Stat(machineCode())
		if err != nil {
			t.Fatal(err)
		}
		if err := damage(machineCode()); err != nil {
			t.Fatal(err)
		}
		good(what)
		if after, err := os.Stat(machineCode()); err != nil || after.ModTime().Equal(before.ModTime()) {
			t.Errorf("%s: it was not made again: %v", what, err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "new-*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	if _, err := os.Stat(filepath.Join(dir, "key")); errors.Is(err, fs.ErrNotExist) {
		t.Error("there is no key")
	}
}

// TestLoadTogether loads one module from many goroutines at once: it is compiled once, and
// nothing is kept for those who waited.
func TestLoadTogether(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("the compiler's limits need Linux")
	}
	path, err := compiler()
	if err != nil {
		t.Fatal(err)
	}
	compilations := filepath.Join(t.TempDir(), "compilations")
	counted := []string{"sh", "-c", `echo >> "$0"; exec "$@"`, compilations, path, compileVerb}
	e, err := sandbox.NewEngine(context.Background(), sandbox.Options{CacheDir: t.TempDir(), CompileCommand: counted})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			m, err := e.Load(context.Background(), "probe", readFile(t, probe))
			if err != nil {
				t.Error(err)
				return
			}
			i, err := m.Instantiate(context.Background(), testConfig, memState{})
			if err != nil {
				t.Error(err)
				return
			}
			_ = i.Close(context.Background())
		})
	}
	wg.Wait()
	if n := len(readFile(t, compilations)); n != 1 {
		t.Errorf("it was compiled %d times", n)
	}
	if n := e.Loading(); n != 0 {
		t.Errorf("%d loads are still waited for", n)
	}
}
