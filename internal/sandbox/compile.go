package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// Bounds of one compilation in a child.
const (
	compileBase   = time.Second     // of processor time
	compilePerMiB = 3 * time.Second // of code
	compileMost   = 60 * time.Second
	compileMemory = 512 << 20 // bytes of data
	progressAfter = time.Second
	// compilePatience is how many times its processor time a child may take by the clock. It is for
	// a child that waits for ever: one that works ends by its own limit, however busy the machine is.
	// On two cores with 26 at work the compiler got a twentieth of one for half a minute.
	compilePatience = 60
)

// compileBudget is the processor time for a module with so many bytes of code.
func compileBudget(code int) time.Duration {
	return min(compileBase+time.Duration(code)*compilePerMiB/(1<<20), compileMost)
}

func engineConfig(interpreter bool) wazero.RuntimeConfig {
	config := wazero.NewRuntimeConfig()
	if interpreter {
		config = wazero.NewRuntimeConfigInterpreter()
	}
	return config.WithCoreFeatures(api.CoreFeaturesV2).WithMemoryLimitPages(maxPages)
}

// CompileChild is what the child of [Options.CompileCommand] does: it takes the limits upon
// itself, reads a module from in, and compiles it into the folder dir, where the engine of
// the parent finds it. cpu is what it may use of processor time. It returns when it is done or refuses; the limits
// may end the process before.
func CompileChild(in io.Reader, dir string, cpu time.Duration) error {
	if err := limitSelf(int((cpu+time.Second-1)/time.Second), compileMemory); err != nil {
		return err
	}
	go endBefore(cpu - compileMargin)
	wasm, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	return compileInto(context.Background(), dir, wasm)
}

const (
	// compileMargin is how much before its limit the child ends itself: the system's own limit
	// is in whole seconds, and a process takes a while to start and to end.
	compileMargin = 200 * time.Millisecond
	compileStep   = 20 * time.Millisecond
	// exitTooSlow is the child's code for that.
	exitTooSlow = 66
)

// endBefore ends this process when it has used so much processor time. The compiler cannot
// be asked to stop.
func endBefore(limit time.Duration) {
	for range time.Tick(compileStep) {
		if processorTime() >= limit {
			os.Exit(exitTooSlow)
		}
	}
}

// compileInto fills dir with what the engine makes of a module.
func compileInto(ctx context.Context, dir string, wasm []byte) error {
	files, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return err
	}
	r := wazero.NewRuntimeWithConfig(ctx, engineConfig(false).WithCompilationCache(files))
	_, err = r.CompileModule(experimental.WithCompilationWorkers(ctx, 2), wasm)
	return errors.Join(err, r.Close(ctx), files.Close(ctx))
}

// recall takes a module from the cache: what was found out about it when it was rewritten,
// and the folder with its machine code. A damaged entry is thrown away.
func (e *Engine) recall(m *Module) bool {
	if e.cache == nil {
		return false
	}
	entry := e.cache.entry(m.digest)
	a, metered, err := e.cache.recall(entry, m.digest)
	if err == nil {
		m.info, m.depth, m.metered, m.dir = a.Info, a.Depth, metered, entry
		return true
	}
	if !errors.Is(err, fs.ErrNotExist) {
		e.opts.Logger.Warn("a compiled module is made again", "module", m.name, "reason", err)
		_ = os.RemoveAll(entry)
	}
	return false
}

// make fills the cache with the machine code of a module, in the child where there is one.
func (e *Engine) make(ctx context.Context, m *Module) error {
	entry, wasm := e.cache.entry(m.digest), m.metered
	made, err := os.MkdirTemp(e.cache.dir, newPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	start := time.Now()
	progress := time.AfterFunc(progressAfter, func() {
		e.opts.Logger.Info("still compiling a module", "module", m.name, "bytes", len(wasm), "seconds_at_most", compileBudget(m.info.CodeBytes).Seconds())
	})
	defer progress.Stop()
	if len(e.opts.CompileCommand) > 0 {
		err = e.compileOutside(ctx, made, m, wasm)
	} else {
		err = compileInto(ctx, made, wasm)
	}
	if err != nil {
		return err
	}
	if err := sameEngine(made); err != nil {
		return err
	}
	if took := time.Since(start); took > progressAfter {
		e.opts.Logger.Info("compiled a module", "module", m.name, "seconds", took.Seconds(), "bytes", len(wasm))
	}
	m.dir = entry
	return e.cache.adopt(made, entry, about{m.digest, m.depth, m.info}, wasm)
}

// sameEngine checks that the engine of this process will find what was made: it keeps files
// by its version, and would compile here what it does not find.
func sameEngine(made string) error {
	files, err := wazero.NewCompilationCacheWithDir(made) // it makes the folder in which it looks
	if err != nil {
		return err
	}
	dirs, err := os.ReadDir(made)
	if err == nil && len(dirs) != 1 {
		err = errors.New("the compiler is of another version than this program; set CompileCommand to this one")
	}
	return errors.Join(err, files.Close(context.Background()))
}

// compileOutside runs the child. The child has no environment and no files but the folder.
func (e *Engine) compileOutside(outer context.Context, dir string, m *Module, wasm []byte) error {
	budget := compileBudget(m.info.CodeBytes)
	ctx, cancel := context.WithTimeout(outer, compilePatience*budget)
	defer cancel()
	command := append(e.opts.CompileCommand[1:len(e.opts.CompileCommand):len(e.opts.CompileCommand)], dir, budget.String())
	child := exec.CommandContext(ctx, e.opts.CompileCommand[0], command...)
	child.Stdin = bytes.NewReader(wasm)
	child.Env = []string{"GOTRACEBACK=none"}
	child.Dir = dir
	var stderr tail
	child.Stderr = &stderr
	child.WaitDelay = time.Second
	err := child.Run()
	if err == nil {
		return nil
	}
	if err := outer.Err(); err != nil { // the module is not at fault
		return err
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		if ctx.Err() != nil {
			return childRefusal(childEnd{late: true, budget: budget})
		}
		return fmt.Errorf("the compiler could not be started: %v", err)
	}
	return childRefusal(childEnd{
		code: exit.ExitCode(), used: exit.UserTime() + exit.SystemTime(), late: ctx.Err() != nil, budget: budget,
		how: exit.String(), words: stderr.String(),
	})
}

// childEnd is how a child ended that did not do its work.
type childEnd struct {
	code         int // -1: by a signal
	used, budget time.Duration
	late         bool // it was ended by the clock
	how, words   string
}

// childRefusal says for people why a module was not compiled.
func childRefusal(c childEnd) error {
	switch killed := c.code == -1; {
	case c.code == exitTooSlow, killed && c.used >= c.budget-compileMargin:
		return fmt.Errorf("compiling it takes more than %.1f s of processor time; split large functions or build with optimisation", c.budget.Seconds())
	case c.late:
		return fmt.Errorf("the compiler had no answer after %v and %.1f s of processor time; load the module again when the machine is less busy",
			compilePatience*c.budget.Round(time.Second), c.used.Seconds())
	case strings.Contains(c.words, "out of memory") || strings.Contains(c.words, "cannot allocate"):
		return fmt.Errorf("compiling it takes more than %d MiB of memory; split large functions or build with optimisation", compileMemory>>20)
	case c.words == "":
		return fmt.Errorf("the compiler ended without a word (%v); load the module again", c.how)
	default:
		return errors.New(firstLine(strings.TrimPrefix(c.words, "avxrt: ")))
	}
}

// tail keeps the first few kilobytes of what a child says.
type tail struct{ bytes.Buffer }

// Write drops what is too much.
func (t *tail) Write(b []byte) (int, error) {
	if room := 4096 - t.Len(); room > 0 {
		t.Buffer.Write(b[:min(len(b), room)])
	}
	return len(b), nil
}
