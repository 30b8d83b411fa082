package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"weak"

	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/rehearsal"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
)

// choice is what a plan gives to one subscriber.
type choice struct {
	spec   manifest.Subscriber
	module *sandbox.Module
	wasm   []byte // of a module that the store may not have yet
	wanted string // digest of the file

	version uint32     // of the state that it is to run on
	move    *stateMove // how it comes there; nil: it has it

	number  int         // of the generation; 0: it is a new one
	cause   string      // of a new one
	trial   bool        // it is watched for its first events
	back    *generation // what comes back if it fails on trial after a restart
	refused string      // why the module of the file is not what runs; "" if it is
	fresh   bool        // it was refused just now
}

// change says what a plan is built for.
type change struct {
	subscriber string // whose module the caller has looked at; "": nobody's
	cause      string // of its new generation
	version    uint32 // of the state that it goes back to; 0: what the manifest says
}

// present is the generation that a subscriber has now, nil for a new one: the one that
// runs, or that the store says was last in service.
func (r *Runtime) present(ctx context.Context, spec *manifest.Subscriber, history []log.Generation) (*generation, error) {
	if s := r.subscription(spec.Name); s != nil {
		return s.latest(), nil
	}
	good := lastGood(history)
	if good == nil {
		return nil, nil
	}
	module := r.loadedModule(good.Digest)
	if module == nil {
		wasm, err := r.store.Module(good.Digest)
		if errors.Is(err, log.ErrNotFound) {
			return nil, nil // a fork to before the last of its generations that are kept
		}
		if err != nil {
			return nil, err
		}
		if module, err = r.loadBytes(ctx, good.Module, wasm); err != nil {
			r.opts.Logger.Warn("the last good generation does not load any more", "subscriber", spec.Name, "generation", good.Number, "error", err)
			return nil, nil // made for an older version of this program
		}
	}
	g := newGeneration(good.Number, *spec, module)
	g.version = good.StateVersion
	return g, nil
}

// choose decides what spec gets: the module of its file, or the present one where that is
// refused. A module that does not load refuses the whole plan while the subscriber runs.
func (r *Runtime) choose(ctx context.Context, m *manifest.Manifest, spec *manifest.Subscriber, by change) (choice, error) {
	wasm, err := r.readModule(m.Plugins.Dir, spec.Module)
	if err != nil {
		return choice{}, err
	}
	digest := digestOf(wasm)
	if err := checkPin(*spec, digest); err != nil {
		return choice{}, err
	}
	history, err := r.store.Generations(spec.Name)
	if err != nil {
		return choice{}, err
	}
	present, err := r.present(ctx, spec, history)
	if err != nil {
		return choice{}, err
	}
	c := choice{spec: *spec, wasm: wasm, wanted: digest, cause: CauseFile}
	running := r.subscription(spec.Name) != nil
	switch {
	case present == nil:
		c.cause = CauseManifest
	case by.subscriber == spec.Name:
		c.cause = by.cause
	}
	c.version = wantedVersion(spec, history, digest)
	if by.subscriber == spec.Name && by.version != 0 {
		c.version = by.version
	}
	if present != nil && present.module.Digest() == digest {
		c.module = present.module
	}
	if present == nil {
		if err := r.checkVersion(&c); err != nil {
			return c, err
		}
	}
	if present != nil && present.version != c.version {
		return r.chooseMove(ctx, c, present, history, running, by)
	}
	if present != nil && present.module.Digest() == digest {
		if c.module = present.module; !running || sameSpec(present.spec, *spec) {
			c.number = present.number
		} else {
			c.cause = CauseManifest
		}
		return c, nil
	}
	if c.module, err = r.loadBytes(ctx, spec.Module, wasm); err != nil {
		return r.unloadable(ctx, c, present, running, err)
	}
	return r.consider(ctx, c, present, history, running, by)
}

// consider decides whether a module that is another than the present one may run.
func (r *Runtime) consider(ctx context.Context, c choice, present *generation, history []log.Generation, running bool, by change) (choice, error) {
	looked := by.subscriber == c.spec.Name // its caller rehearsed it, or means it
	switch {
	case present == nil:
		return c, nil
	case refusal(history, c.wanted, c.version) != nil && !looked:
		return c.keep(present, running, refusalText(refusal(history, c.wanted, c.version))), nil
	case !running && onTrial(history) != nil && onTrial(history).Digest == c.wanted:
		c.number, c.trial, c.back = onTrial(history).Number, true, present
		return c, nil
	case c.spec.Swap.Mode == manifest.SwapShadow && !looked:
		next := newGeneration(0, c.spec, c.module)
		next.version = c.version
		report, err := r.rehearse(ctx, present, next, Span{Last: c.spec.Swap.Events})
		if err != nil {
			return c, fmt.Errorf("rehearse module %s: %w", c.spec.Module, err)
		}
		if report.Refused {
			return r.refuse(ctx, c, present, running, report)
		}
		r.opts.Logger.Info("a new module passed its rehearsal", "subscriber", c.spec.Name, "module", c.spec.Module, "digest", c.wanted,
			"events", report.Events, "emits_differ", report.Emits.Count, "state_differs", report.State.Count)
	}
	c.trial = c.spec.Swap.Mode == manifest.SwapCanary && !(looked && by.cause == CauseRollback)
	c.back = present
	return c, nil
}

// refuse remembers that a rehearsal went badly.
func (r *Runtime) refuse(ctx context.Context, c choice, present *generation, running bool, report rehearsal.Report) (choice, error) {
	g := log.Generation{Digest: c.wanted, Module: c.spec.Module, Cause: c.cause, Reason: reasons(report), StateVersion: c.version}
	if err := r.noteRefusal(ctx, c.spec.Name, g); err != nil {
		return c, err
	}
	c = c.keep(present, running, refusalText(&g))
	c.fresh = true
	return c, nil
}

// unloadable deals with a module that does not load. Before the subscriber runs the last
// good generation is better than none.
func (r *Runtime) unloadable(ctx context.Context, c choice, present *generation, running bool, err error) (choice, error) {
	var bad *sandbox.LoadError
	if present == nil || !errors.As(err, &bad) {
		return c, err
	}
	g := log.Generation{Digest: c.wanted, Module: c.spec.Module, Cause: c.cause, Reason: err.Error(), StateVersion: c.version}
	if noted := r.noteRefusal(ctx, c.spec.Name, g); noted != nil {
		return c, errors.Join(err, noted)
	}
	if running {
		return c, err
	}
	return c.keep(present, running, err.Error()), nil
}

// keep makes the present generation the choice. While it runs it keeps its rules too.
func (c choice) keep(present *generation, running bool, reason string) choice {
	if running {
		c.spec = present.spec
	}
	c.module, c.number, c.version, c.refused = present.module, present.number, present.version, reason
	return c
}

func refusalText(g *log.Generation) string {
	verb := "was refused"
	if g.Standing == log.RolledBack {
		verb = "was rolled back"
	}
	return fmt.Sprintf("module %s (%s) %s: %s; mend the file, or see avxrt shadow", g.Module, short(g.Digest), verb, g.Reason)
}

// checkPin holds a module against the digest that the manifest may ask for.
func checkPin(spec manifest.Subscriber, digest string) error {
	if spec.SHA256 == "" || "sha256:"+spec.SHA256 == digest {
		return nil
	}
	return fmt.Errorf("module %s has the digest %s, the manifest pins %s; correct sha256 or restore the file", spec.Module, digest[len("sha256:"):], spec.SHA256)
}

// short is as much of a digest as tells modules apart.
func short(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }

func digestOf(wasm []byte) string {
	sum := sha256.Sum256(wasm)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// loadBytes returns the module with these bytes, compiled; the same bytes are compiled once.
func (r *Runtime) loadBytes(ctx context.Context, name string, wasm []byte) (*sandbox.Module, error) {
	if module := r.loadedModule(digestOf(wasm)); module != nil {
		return module, nil
	}
	module, err := r.engine.Load(ctx, name, wasm)
	if err != nil {
		return nil, err
	}
	r.remember(module)
	return module, nil
}

// loadedModule returns the module with a digest if something still uses it, else nil.
func (r *Runtime) loadedModule(digest string) *sandbox.Module {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.loaded[digest].Value()
}

// remember lets others have a module as long as something uses it.
func (r *Runtime) remember(module *sandbox.Module) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.mu.loaded, func(_ string, p weak.Pointer[sandbox.Module]) bool { return p.Value() == nil })
	r.mu.loaded[module.Digest()] = weak.Make(module)
}
