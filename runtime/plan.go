package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/router"
)

// maxModuleBytes bounds a module file: ten times the largest honest one that we know of.
const maxModuleBytes = 32 << 20

// plan is a manifest whose modules are all loaded: everything that can be wrong was checked.
type plan struct {
	manifest *manifest.Manifest
	choices  map[string]choice // by subscriber
}

// build reads and loads every module of m, and rehearses what the manifest says. What runs
// stays as it is; the first module that is refused as no module at all ends it with a
// [*ManifestError].
func (r *Runtime) build(ctx context.Context, m *manifest.Manifest, by change) (*plan, error) {
	p := &plan{manifest: m, choices: map[string]choice{}}
	for i := range m.Subscribers {
		spec := &m.Subscribers[i]
		c, err := r.choose(ctx, m, spec, by)
		if err != nil {
			return nil, &ManifestError{Subscriber: spec.Name, Err: err}
		}
		p.choices[spec.Name] = c
	}
	return p, nil
}

// stillFresh takes over what was refused just now from a plan in whose place p was built: in p it
// is what the store remembers. stale is nil where there was none.
func (p *plan) stillFresh(stale *plan) {
	if stale == nil {
		return
	}
	for name, c := range p.choices {
		if was := stale.choices[name]; was.fresh && c.refused != "" && c.wanted == was.wanted {
			c.fresh = true
			p.choices[name] = c
		}
	}
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

// errStale says that a plan was built for what a subscriber does not run any more.
var errStale = errors.New("a subscriber came to another state version meanwhile")

// adopt makes p what runs: new subscribers are attached and started, gone ones end at an
// event boundary, changed ones get a new generation. The cursors of new subscribers and all
// new generations are durable before it returns.
//
// It returns errStale where a subscriber came to another state version while p was built.
func (r *Runtime) adopt(ctx context.Context, p *plan) error {
	r.switching.Lock()
	defer r.switching.Unlock()
	for name, c := range p.choices {
		if s := r.subscription(name); s != nil && s.latest().version != c.version {
			return errStale
		}
	}
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
	numbers, err := r.recordGenerations(ctx, p)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, s := range r.mu.subs {
		if _, stays := p.choices[name]; !stays {
			s.crew.end()
			for _, lane := range s.crew.lanes {
				r.interest.forget(lane)
			}
			delete(r.mu.subs, name)
		}
	}
	for i := range p.manifest.Subscribers {
		name := p.manifest.Subscribers[i].Name
		if err := r.give(p.choices[name], numbers[name], places[name]); err != nil {
			return &ManifestError{Subscriber: name, Err: err}
		}
	}
	r.mu.manifest = p.manifest
	r.pool.Resize(p.manifest.Plugins.IdleMemory)
	clear(r.mu.problems)
	for _, c := range p.manifest.Cycles() {
		r.opts.Logger.Warn("subscribers can feed each other in a circle", "cycle", c.String())
	}
	return nil
}

// give hands a choice to its subscriber, which it makes if there is none. number is that of
// a new generation, 0 if the choice is no new one. It needs the runtime's lock.
func (r *Runtime) give(c choice, number int, places []position) error {
	gen := newGeneration(max(number, c.number), c.spec, c.module)
	gen.version = c.version
	s := r.mu.subs[c.spec.Name]
	if s == nil {
		return r.begin(c, gen, places)
	}
	s.crew.settleRefusal(c)
	if c.fresh {
		s.count(func(st *SubscriberStatus) { st.Refused++ })
	}
	s.crew.offerMove(c.move)
	if number == 0 { // what it has stays, or came back while the plan was built
		return nil
	}
	if err := r.wantAll(s.crew.lanes, c.spec.Topics); err != nil {
		return err
	}
	if back := s.latest().overtake(); c.trial {
		gen.trial = newTrial(c.spec.Swap.Events, back)
	}
	s.crew.offer(gen)
	return nil
}

// begin makes the lanes of a subscriber that does not run yet. It needs the runtime's lock.
func (r *Runtime) begin(c choice, gen *generation, places []position) error {
	if c.trial {
		gen.trial = newTrial(c.spec.Swap.Events, c.back)
	}
	crew := r.newCrew(gen, places)
	if err := r.wantAll(crew.lanes, c.spec.Topics); err != nil {
		return err
	}
	crew.settleRefusal(c)
	s := crew.lanes[0]
	r.mu.subs[c.spec.Name] = s
	versions, err := r.store.Versions(s.name)
	if err != nil {
		return err
	}
	crew.unbuild = versions.Build != nil && c.move == nil // of before a restart
	crew.offerMove(c.move)
	if c.refused != "" {
		r.opts.Logger.Error("the last good generation goes on", "subscriber", s.name, "generation", c.number, "reason", c.refused)
	}
	if r.mu.launch != nil {
		r.mu.launch(s)
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

// recordGenerations keeps the modules of the plan's new generations, and these themselves,
// and returns their numbers by subscriber.
func (r *Runtime) recordGenerations(ctx context.Context, p *plan) (map[string]int, error) {
	saved := map[string]bool{}
	var revisions []log.Revision
	for i := range p.manifest.Subscribers {
		c := p.choices[p.manifest.Subscribers[i].Name]
		if c.number != 0 {
			continue
		}
		digest := c.module.Digest()
		if !saved[digest] {
			if _, err := r.store.SaveModule(ctx, c.wasm); err != nil {
				return nil, err
			}
			saved[digest] = true
		}
		at, err := r.lowest(c.spec.Name)
		if err != nil {
			return nil, err
		}
		g := log.Generation{Digest: digest, Module: c.spec.Module, Cause: c.cause, Standing: log.InService, Seq: at, StateVersion: c.version}
		if c.version != uint32(c.spec.StateVersion) {
			g.Wanted = uint32(c.spec.StateVersion)
		}
		if c.trial {
			g.Standing = log.OnTrial
		}
		revisions = append(revisions, successor(c.spec.Name, g))
	}
	histories, err := r.store.Revise(ctx, revisions...)
	numbers := map[string]int{}
	for i, history := range histories {
		numbers[revisions[i].Subscriber] = history[len(history)-1].Number
	}
	return numbers, err
}

// lowest returns the lowest cursor of a subscriber's lanes.
func (r *Runtime) lowest(name string) (abi.Seq, error) {
	lanes, err := r.store.Lanes(name)
	if err != nil || len(lanes) == 0 {
		return 0, err
	}
	lowest := lanes[0].Next
	for _, c := range lanes {
		lowest = min(lowest, c.Next)
	}
	return lowest, nil
}

// startSeq translates where a new subscriber begins; 0 means after the present head.
func (r *Runtime) startSeq(start manifest.Start) (abi.Seq, error) {
	switch start.Kind {
	case manifest.StartLatest:
		return 0, nil
	case manifest.StartSeq:
		return max(start.Seq, r.store.First()), nil
	case manifest.StartTime:
		return r.store.SeqAtTime(nanos(start.Time))
	}
	return r.store.First(), nil // what retention dropped before is no gap
}

// Reload reads the manifest and the modules again and adopts them if all of it is right.
// If not, the error says why, nothing changes, and the problem stays visible in
// [Runtime.Status] and [Runtime.Subscribers] until a reload succeeds. A module that is
// refused by its rehearsal gives a [*RefusedError]: its subscriber goes on as it is, the
// rest of the plan is adopted.
func (r *Runtime) Reload(ctx context.Context) error {
	r.planning.Lock()
	defer r.planning.Unlock()
	return r.reloadFor(ctx, change{})
}

// reloadFor is Reload for whoever holds planning.
func (r *Runtime) reloadFor(ctx context.Context, by change) error {
	if r.draining.Load() {
		return ErrDraining
	}
	err := r.reload(ctx, by)
	if err == nil {
		r.reloads.done.Add(1)
		return nil
	}
	if ctx.Err() != nil || r.draining.Load() {
		return err // it was not refused, only not finished
	}
	r.reloads.refused.Add(1)
	var refused *RefusedError
	if errors.As(err, &refused) {
		r.opts.Logger.Error("a new module was refused, the old generation goes on", "subscriber", refused.Subscriber, "error", err)
		return err
	}
	r.opts.Logger.Error("the new plan was refused, the old one goes on", "error", err)
	var wrong *ManifestError
	name := ""
	if errors.As(err, &wrong) {
		name = wrong.Subscriber
	}
	r.mu.Lock()
	clear(r.mu.problems)
	r.mu.problems[name] = err.Error()
	r.mu.Unlock()
	return err
}

func (r *Runtime) reload(ctx context.Context, by change) error {
	m, err := r.readManifest()
	if err != nil {
		return &ManifestError{Err: err}
	}
	r.mu.Lock()
	old := r.mu.manifest
	r.mu.Unlock()
	if len(old.Subscribers) > 0 && r.manifestIsBlank() {
		return &ManifestError{Err: fmt.Errorf("%s: is empty, as a file is while it is written; to take every subscriber out, leave a line in it, for example [node]", r.opts.Manifest)}
	}
	if restart := manifest.Diff(old, m).Restart; len(restart) > 0 {
		r.opts.Logger.Warn("these settings take effect after a restart", "keys", restart)
		m.Node, m.HTTP = old.Node, old.HTTP
	}
	var p *plan
	for err = errStale; err == errStale; {
		stale := p
		if p, err = r.build(ctx, m, by); err == nil {
			p.stillFresh(stale)
			err = r.adopt(ctx, p)
		}
	}
	if err != nil {
		return err
	}
	for i := range m.Subscribers {
		if c := p.choices[m.Subscribers[i].Name]; c.fresh {
			return &RefusedError{Subscriber: m.Subscribers[i].Name, Reason: c.refused}
		}
	}
	return nil
}

// manifestIsBlank says whether the manifest is a file without a byte.
func (r *Runtime) manifestIsBlank() bool {
	info, err := os.Stat(r.opts.Manifest) // "", where the manifest is a text, is no file
	return err == nil && info.Size() == 0
}
