package runtime

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/rehearsal"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
)

// Deployment is what became of a module that was to be deployed or brought back.
type Deployment struct {
	Subscriber string
	Digest     string
	File       string            // that was, or would be, replaced
	Shared     []string          // other subscribers that run the same file
	Report     *rehearsal.Report // nil: the manifest asks for no rehearsal, or there was nothing to rehearse against
	Deployed   bool              // false: it was refused, or a dry run
	Generation int               // of the subscriber now, or from its next event on
	Move       string            // how its state comes to another version, which takes a while: migrate, rebuild or return; "": it stays
	Version    uint32            // of the state that it has, or comes to
	OnTrial    bool              // that generation is watched for its first events
}

// Deploy checks a module, rehearses it as the subscriber's swap in the manifest says,
// replaces the module's file in the plugins folder by rename and adopts it. A rehearsal
// that goes badly is in the Deployment, which then is not Deployed, and nothing has changed.
// Nor does a dry run change anything. A module that does not load gives a [*ManifestError], a name that is not
// in the manifest [ErrNotFound].
func (r *Runtime) Deploy(ctx context.Context, name string, wasm []byte, dryRun bool) (Deployment, error) {
	r.planning.Lock()
	defer r.planning.Unlock()
	d, spec, module, release, err := r.offered(ctx, name, wasm)
	if err != nil {
		return d, err
	}
	defer release()
	if spec.Swap.Mode == manifest.SwapShadow && r.subscription(name).latest().version == uint32(spec.StateVersion) {
		report, err := r.rehearse(ctx, r.subscription(name).latest(), newGeneration(0, spec, module), Span{})
		if err != nil {
			return d, err
		}
		if d.Report = &report; report.Refused && !dryRun {
			r.subscription(name).count(func(st *SubscriberStatus) { st.Refused++ })
			return d, r.noteRefusal(ctx, name, log.Generation{Digest: d.Digest, Module: spec.Module, Cause: CauseDeploy, Reason: reasons(report), StateVersion: uint32(spec.StateVersion)})
		}
	}
	if dryRun {
		return d, nil
	}
	return r.replace(ctx, d, wasm, change{subscriber: name, cause: CauseDeploy})
}

// offered finds whom a module is offered to, and loads it if the manifest does not pin
// another. The caller releases it.
func (r *Runtime) offered(ctx context.Context, name string, wasm []byte) (d Deployment, spec manifest.Subscriber, m *sandbox.Module, release func(), err error) {
	if d, spec, err = r.target(name); err != nil {
		return d, spec, nil, nil, err
	}
	d.Digest = digestOf(wasm)
	if err := checkPin(spec, d.Digest); err != nil {
		return d, spec, nil, nil, &ManifestError{Subscriber: name, Err: err}
	}
	m, release, err = r.borrow(ctx, name, wasm)
	return d, spec, m, release, err
}

// Rollback puts the bytes of an earlier generation back into the plugins folder, by
// rename, and adopts them. to is its number; 0 is the last one with another module than
// the present. Nothing of what was committed changes. It returns [ErrNotFound] where there
// is no such generation, or the store does not keep its bytes any more.
func (r *Runtime) Rollback(ctx context.Context, name string, to int) (Deployment, error) {
	r.planning.Lock()
	defer r.planning.Unlock()
	d, spec, err := r.target(name)
	if err != nil {
		return d, err
	}
	history, err := r.store.Generations(name)
	if err != nil {
		return d, err
	}
	present := r.subscription(name).latest()
	g := earlier(history, present.module.Digest(), to)
	if g == nil {
		return d, fmt.Errorf("%w: a generation of subscriber %q to go back to; avxrt sub history %s shows those that it had", ErrNotFound, name, name)
	}
	wasm, err := r.store.Module(g.Digest)
	if err != nil {
		return d, fmt.Errorf("generation %d of %q: %w", g.Number, name, err)
	}
	d.Digest = g.Digest
	if err := checkPin(spec, d.Digest); err != nil {
		return d, &ManifestError{Subscriber: name, Err: err}
	}
	if g.StateVersion != present.version {
		versions, err := r.store.Versions(name)
		if err == nil && versions.Kept != g.StateVersion {
			err = fmt.Errorf("generation %d of %q ran on state version %d, which is not kept: %w; set state_version = %d in the manifest and deploy a module for it", g.Number, name, g.StateVersion, ErrNotFound, g.StateVersion)
		}
		if err != nil {
			return d, err
		}
	}
	return r.replace(ctx, d, wasm, change{subscriber: name, cause: CauseRollback, version: g.StateVersion})
}

// earlier finds the generation that a roll back means: one that was in service.
func earlier(history []log.Generation, present string, to int) *log.Generation {
	for i := len(history) - 1; i >= 0; i-- {
		g := &history[i]
		was := g.Standing == log.Replaced || g.Standing == log.InService || g.Standing == log.RolledBack && to != 0
		if was && (g.Number == to || to == 0 && g.Digest != present) {
			return g
		}
	}
	return nil
}

// target finds the subscriber in the manifest, and who else runs its file.
func (r *Runtime) target(name string) (d Deployment, spec manifest.Subscriber, err error) {
	d.Subscriber = name
	if r.draining.Load() {
		return d, spec, ErrDraining
	}
	m := r.manifestNow()
	found := false
	for _, s := range m.Subscribers {
		if s.Name == name {
			spec, found = s, true
		}
	}
	if !found || r.subscription(name) == nil {
		return d, spec, r.noSubscriber(name)
	}
	for _, s := range m.Subscribers {
		if s.Module == spec.Module && s.Name != name {
			d.Shared = append(d.Shared, s.Name)
		}
	}
	d.File = filepath.Join(m.Plugins.Dir, filepath.FromSlash(spec.Module))
	return d, spec, nil
}

// replace puts the bytes into the file of a deployment and adopts them. The caller holds
// planning, so that nobody reads the file in between.
func (r *Runtime) replace(ctx context.Context, d Deployment, wasm []byte, by change) (Deployment, error) {
	if err := replaceFile(d.File, wasm); err != nil {
		return d, fmt.Errorf("replace the module: %w", err)
	}
	ctx = context.WithoutCancel(ctx) // the file is there: a caller that has gone must not leave it half taken
	if err := r.reloadFor(ctx, by); err != nil {
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Subscriber == d.Subscriber {
			return d, fmt.Errorf("%s is replaced, but the plan was not adopted: %w", d.File, err)
		}
	}
	d.Deployed = true
	if s := r.subscription(d.Subscriber); s != nil {
		g := s.latest()
		d.Generation, d.OnTrial, d.Version = g.number, g.onTrial(), g.version
		r.mu.Lock()
		if m := s.crew.move; m != nil {
			d.Move, d.Version, d.OnTrial = string(m.kind), m.gen.version, m.trial
		}
		r.mu.Unlock()
	}
	return d, nil
}

// replaceFile writes beside and renames, so that no reader sees half of a module and a crash
// leaves the old file or the new one.
func replaceFile(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temporary := filepath.Join(dir, "."+filepath.Base(path)+"."+rand.Text()[:8])
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temporary))
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	return syncFolder(dir)
}

// syncFolder makes a rename survive a loss of power.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
