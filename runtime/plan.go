package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/router"
)

// maxModuleBytes bounds a module file: ten times the largest honest one that we know of.
const maxModuleBytes = 32 << 20

// plan is a manifest whose modules are all loaded: everything that can be wrong was checked.
type plan struct {
	manifest *manifest.Manifest
	modules  map[string]*sandbox.Module // by subscriber
}

// build reads and loads every module of m. It changes nothing; the first module that is
// refused ends it with a [*ManifestError].
func (r *Runtime) build(ctx context.Context, m *manifest.Manifest) (*plan, error) {
	p := &plan{manifest: m, modules: map[string]*sandbox.Module{}}
	for i := range m.Subscribers {
		spec := &m.Subscribers[i]
		module, err := r.load(ctx, m, spec)
		if err != nil {
			return nil, &ManifestError{Subscriber: spec.Name, Err: err}
		}
		p.modules[spec.Name] = module
	}
	return p, nil
}

// load returns the module of spec, compiled; the same bytes are compiled once.
func (r *Runtime) load(ctx context.Context, m *manifest.Manifest, spec *manifest.Subscriber) (*sandbox.Module, error) {
	wasm, err := r.readModule(m.Plugins.Dir, spec.Module)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(wasm)
	digest := hex.EncodeToString(sum[:])
	if spec.SHA256 != "" && spec.SHA256 != digest {
		return nil, fmt.Errorf("module %s has the digest %s, the manifest pins %s; correct sha256 or restore the file", spec.Module, digest, spec.SHA256)
	}
	r.mu.Lock()
	module := r.mu.loaded[digest]
	r.mu.Unlock()
	if module != nil {
		return module, nil
	}
	if module, err = r.engine.Load(ctx, spec.Module, wasm); err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.mu.loaded[digest] = module
	r.mu.Unlock()
	return module, nil
}

// readModule reads a module from the plugins folder, which it cannot leave, or from
// Options.Modules where the folder has none of that name.
func (r *Runtime) readModule(dir, name string) ([]byte, error) {
	wasm, err := readInside(dir, name)
	if errors.Is(err, fs.ErrNotExist) && r.opts.Modules != nil {
		if embedded, embErr := fs.ReadFile(r.opts.Modules, name); embErr == nil {
			return embedded, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("module %s does not exist in %s; build it or correct plugins.dir", name, dir)
	}
	return wasm, err
}

func readInside(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Lstat(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("module %s is not a regular file (%s); put the file itself into the plugins folder", name, info.Mode().Type())
	}
	if info.Size() > maxModuleBytes {
		return nil, fmt.Errorf("module %s has %d bytes, at most %d are allowed", name, info.Size(), maxModuleBytes)
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	wasm, err := io.ReadAll(io.LimitReader(f, maxModuleBytes+1))
	if err == nil && len(wasm) > maxModuleBytes {
		err = fmt.Errorf("module %s grew over %d bytes while it was read", name, maxModuleBytes)
	}
	return wasm, err
}

// adopt makes p what runs: new subscribers are attached and started, gone ones end at an
// event boundary, changed ones get a new generation. The cursors of new subscribers are
// durable before it returns.
func (r *Runtime) adopt(ctx context.Context, p *plan) error {
	places := map[string][]position{}
	for i := range p.manifest.Subscribers {
		spec := &p.manifest.Subscribers[i]
		next, err := r.startSeq(spec.Start)
		if err != nil {
			return &ManifestError{Subscriber: spec.Name, Err: err}
		}
		if places[spec.Name], err = r.places(ctx, spec, next); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, s := range r.mu.subs {
		if _, stays := p.modules[name]; !stays {
			s.crew.end()
			for _, lane := range s.crew.lanes {
				r.interest.forget(lane)
			}
			delete(r.mu.subs, name)
		}
	}
	for i := range p.manifest.Subscribers {
		spec := p.manifest.Subscribers[i]
		if s, ok := r.mu.subs[spec.Name]; ok {
			if err := r.wantAll(s.crew.lanes, spec.Topics); err != nil {
				return &ManifestError{Subscriber: spec.Name, Err: err}
			}
			s.crew.offer(spec, p.modules[spec.Name])
			continue
		}
		c := r.newCrew(spec, p.modules[spec.Name], places[spec.Name])
		if err := r.wantAll(c.lanes, spec.Topics); err != nil {
			return &ManifestError{Subscriber: spec.Name, Err: err}
		}
		s := c.lanes[0]
		r.mu.subs[spec.Name] = s
		if r.mu.launch != nil {
			r.mu.launch(s)
		}
	}
	r.mu.manifest = p.manifest
	clear(r.mu.problems)
	for _, c := range p.manifest.Cycles() {
		r.opts.Logger.Warn("subscribers can feed each other in a circle", "cycle", c.String())
	}
	return nil
}

// wantAll makes patterns what wakes all lanes.
func (r *Runtime) wantAll(lanes []*subscription, patterns []router.Pattern) error {
	for _, s := range lanes {
		if err := r.interest.want(s, patterns); err != nil {
			return err
		}
	}
	return nil
}

// startSeq translates where a new subscriber begins; 0 means after the present head.
func (r *Runtime) startSeq(start manifest.Start) (abi.Seq, error) {
	switch start.Kind {
	case manifest.StartLatest:
		return 0, nil
	case manifest.StartSeq:
		return max(start.Seq, r.store.First()), nil
	case manifest.StartTime:
		return r.store.SeqAtTime(start.Time.UnixNano())
	}
	return r.store.First(), nil // what retention dropped before is no gap
}

// Reload reads the manifest and the modules again and adopts them if all of it is right.
// If not, the error says why, nothing changes, and the problem stays visible in
// [Runtime.Status] and [Runtime.Subscribers] until a reload succeeds.
func (r *Runtime) Reload(ctx context.Context) error {
	r.planning.Lock()
	defer r.planning.Unlock()
	err := r.reload(ctx)
	if err == nil {
		r.reloads.done.Add(1)
		return nil
	}
	r.reloads.refused.Add(1)
	r.opts.Logger.Error("the new plan was refused, the old one goes on", "error", err)
	var refused *ManifestError
	name := ""
	if errors.As(err, &refused) {
		name = refused.Subscriber
	}
	r.mu.Lock()
	clear(r.mu.problems)
	r.mu.problems[name] = err.Error()
	r.mu.Unlock()
	return err
}

func (r *Runtime) reload(ctx context.Context) error {
	m, err := r.readManifest()
	if err != nil {
		return &ManifestError{Err: err}
	}
	r.mu.Lock()
	old := r.mu.manifest
	r.mu.Unlock()
	if restart := manifest.Diff(old, m).Restart; len(restart) > 0 {
		r.opts.Logger.Warn("these settings take effect after a restart", "keys", restart)
		m.Node, m.HTTP = old.Node, old.HTTP
	}
	p, err := r.build(ctx, m)
	if err != nil {
		return err
	}
	return r.adopt(ctx, p)
}
