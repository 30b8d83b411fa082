package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/tetratelabs/wazero"

	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// Options tune an engine.
type Options struct {
	// CacheDir keeps compiled modules, so that a restart need not compile again. It belongs to
	// one engine at a time: a node's lock on its store sees to that. It is
	// machine code that is run: the folder is made for its owner alone, and every entry is
	// sealed. "": none, and every load compiles in this process.
	CacheDir string

	// CompileCommand is a program with its first arguments that calls [CompileChild] with
	// its standard input and the two arguments that are added, folder and time. Modules
	// that are not in CacheDir, which it needs, are compiled by it: under limits of time and
	// memory, and away from this process. Nil: they are compiled here, where compiling
	// cannot be stopped; a module that passes the checks before may then take a minute and
	// some gigabytes.
	CompileCommand []string

	// Logger gets a line about slow compilations. Default: discard.
	Logger *slog.Logger

	// Interpreter runs guests without compiling them: some forty times slower, with the same
	// results and the same fuel.
	Interpreter bool

	// Exit ends the process when a guest cannot be stopped, which should not happen.
	// Default: os.Exit.
	Exit func(code int)

	// StuckAfter is how long a guest may give no sign of life, if that is more than ten times
	// its time limit, before Exit. Default 10 s.
	StuckAfter time.Duration
}

// Engine loads modules and watches over their instances.
type Engine struct {
	opts   Options
	watch  *watchdog
	cache  *cache       // nil: none
	mapped atomic.Int64 // bytes of address space for the linear memory of instances
	held   atomic.Int64 // bytes of memory that instances hold
	mu     struct {
		sync.Mutex
		loading map[string]*loading               // by digest: one compilation of a module at a time
		modules map[weak.Pointer[Module]]struct{} // that are in use, or were not collected yet
	}
}

// NewEngine returns an engine; the caller closes it.
func NewEngine(_ context.Context, opts Options) (*Engine, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if err := opts.absolute(); err != nil {
		return nil, err
	}
	e := &Engine{opts: opts}
	if opts.CacheDir != "" && !opts.Interpreter {
		var err error
		if e.cache, err = openCache(opts.CacheDir); err != nil {
			return nil, err
		}
	}
	if e.cache == nil && len(opts.CompileCommand) > 0 && !opts.Interpreter {
		return nil, errors.New("a CompileCommand needs a CacheDir, which is how it gives back what it made")
	}
	e.watch = newWatchdog(opts)
	e.mu.loading, e.mu.modules = map[string]*loading{}, map[weak.Pointer[Module]]struct{}{}
	return e, nil
}

// absolute makes paths independent of the folder in which the child runs.
func (o *Options) absolute() (err error) {
	if o.CacheDir != "" {
		if o.CacheDir, err = filepath.Abs(o.CacheDir); err != nil {
			return fmt.Errorf("find the folder for compiled modules: %w", err)
		}
	}
	if len(o.CompileCommand) > 0 && strings.ContainsRune(o.CompileCommand[0], filepath.Separator) {
		o.CompileCommand = slices.Clone(o.CompileCommand)
		if o.CompileCommand[0], err = filepath.Abs(o.CompileCommand[0]); err != nil {
			return fmt.Errorf("find the compiler: %w", err)
		}
	}
	return nil
}

// Close closes every module. No instance may be running.
func (e *Engine) Close(ctx context.Context) error {
	e.watch.close()
	e.mu.Lock()
	modules := e.mu.modules
	e.mu.modules = map[weak.Pointer[Module]]struct{}{}
	e.mu.Unlock()
	var errs []error
	for p := range modules {
		if m := p.Value(); m != nil {
			errs = append(errs, m.close(ctx))
		}
	}
	return errors.Join(errs...)
}

// Module is a loaded module, ready to be instantiated any number of times. One that nothing
// refers to any more, no instance either, is released by the garbage collector: wazero
// unmaps machine code that way, so who swaps modules need not know when the last instance ends.
type Module struct {
	engine  *Engine
	name    string
	digest  string
	info    wasmbin.Info
	depth   int
	metered []byte
	dir     string // where its machine code is; "" while it is nowhere
	source  *source

	interpreter bool
	twin        struct {
		sync.Mutex
		module *Module // the same on the interpreter; nil: nobody asked yet
	}
	wasm     wazero.Runtime
	cache    wazero.CompilationCache
	compiled wazero.CompiledModule
}

// LoadError says why a module is refused and what to do.
type LoadError struct {
	Module string // name
	Reason string
	Fuel   int64 // that an instance burnt before its start failed
}

func refusal(module, reason string) *LoadError { return &LoadError{Module: module, Reason: reason} }

// maxReason bounds what is said of a module.
const maxReason = 2000

// Error gives module and reason, fit to print: names in it are the module's own.
func (e *LoadError) Error() string {
	return "module " + e.Module + ": " + clean([]byte(e.Reason), maxReason)
}

// Load checks and compiles a module. name is for messages. The error is a [*LoadError]
// where the module is at fault; the end of ctx ends a compiler child, and is the error then.
func (e *Engine) Load(ctx context.Context, name string, wasm []byte) (*Module, error) {
	sum := sha256.Sum256(wasm)
	m := &Module{engine: e, name: name, digest: "sha256:" + hex.EncodeToString(sum[:]), source: &source{wasm: wasm}, interpreter: e.opts.Interpreter}
	defer e.begin(m.digest)() // two compilations of one module into one cache break each other (wazero #2547)
	if !e.recall(m) {
		metered, err := wasmbin.Rewrite(wasm)
		if err != nil {
			return nil, refusal(name, err.Error())
		}
		m.info, m.depth, m.metered = metered.Info, metered.Depth, metered.Wasm
		m.source.take(metered)
	}
	if reason := checkContract(m.info); reason != "" {
		return nil, refusal(name, reason)
	}
	if err := m.compile(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, errors.Join(err, m.close(ctx))
		}
		return nil, errors.Join(refusal(name, firstLine(err.Error())), m.close(ctx))
	}
	e.mu.Lock()
	maps.DeleteFunc(e.mu.modules, func(p weak.Pointer[Module], _ struct{}) bool { return p.Value() == nil })
	e.mu.modules[weak.Make(m)] = struct{}{}
	e.mu.Unlock()
	return m, nil
}

// loading is held while a module is loaded.
type loading struct {
	sync.Mutex
	users int // who have it or wait for it; guarded by Engine.mu
}

// begin waits until nobody else loads the module of digest. The caller ends it.
func (e *Engine) begin(digest string) (end func()) {
	e.mu.Lock()
	l := e.mu.loading[digest]
	if l == nil {
		l = &loading{}
		e.mu.loading[digest] = l
	}
	l.users++
	e.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		e.mu.Lock()
		defer e.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(e.mu.loading, digest)
		}
	}
}

// maxPages is the most memory that any instance may have (1 GiB); each has a limit of its own below it.
const maxPages = 1 << 14

// compile gives the module an engine of its own: engines that share a cache in memory mix
// up types in this version of wazero (#2511). The cache on disk is safe to share.
func (m *Module) compile(ctx context.Context) (err error) {
	config := engineConfig(m.interpreter)
	if m.engine.cache != nil && !m.interpreter {
		if m.dir == "" {
			if err := m.engine.make(ctx, m); err != nil {
				return err
			}
		}
		if m.cache, err = wazero.NewCompilationCacheWithDir(m.dir); err != nil {
			return err
		}
		config = config.WithCompilationCache(m.cache)
	}
	m.wasm = wazero.NewRuntimeWithConfig(ctx, config)
	if err := instantiateWASI(ctx, m.wasm); err != nil {
		return err
	}
	if err := instantiateHost(ctx, m.wasm); err != nil {
		return err
	}
	if reason := m.checkWASI(); reason != "" {
		return errors.New(reason)
	}
	m.compiled, err = m.wasm.CompileModule(ctx, m.metered)
	return err
}

// Digest returns sha256:<64 hex digits> of the module's bytes.
func (m *Module) Digest() string { return m.digest }

// Close releases the module; its instances must be closed before.
func (m *Module) Close(ctx context.Context) error {
	m.engine.mu.Lock()
	delete(m.engine.mu.modules, weak.Make(m))
	m.engine.mu.Unlock()
	return m.close(ctx)
}

func (m *Module) close(ctx context.Context) error {
	var errs []error
	if m.twin.module != nil {
		errs = append(errs, m.twin.module.close(ctx))
	}
	if m.wasm != nil {
		errs = append(errs, m.wasm.Close(ctx))
	}
	if m.cache != nil {
		errs = append(errs, m.cache.Close(ctx))
	}
	return errors.Join(errs...)
}
