package runtime

import (
	"bytes"
	"context"
	"fmt"

	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/log"
)

const (
	// copyBytes and copyKeys bound one commit of the copy that a migration begins with.
	copyBytes = 1 << 20
	copyKeys  = 4096

	// maxMigrateCalls bounds a migration: a module that asks for more will never end. At a
	// thousand keys a call these are ten billion keys.
	maxMigrateCalls = 10_000_000
)

// migrate builds a version from the state in service: it copies that, then calls avx_migrate
// until there is no more. Each step is a commit that says how far it is, so it goes on after
// a crash; the instance is a cache, as always. The lanes wait meanwhile.
func (c *crew) migrate(ctx context.Context, m *stateMove) (log.StateBuild, error) {
	from := c.all()[0].latest().version
	b, err := c.r.store.BeginBuild(ctx, c.name, log.StateBuild{Version: m.gen.version, Kind: log.BuildMigrate, Digest: m.gen.module.Digest()})
	for err == nil && !b.Copied && ctx.Err() == nil && m.wanted() {
		err = c.copySome(ctx, &b, from)
		m.note(&b, nil)
	}
	g := &migrator{c: c, m: m, from: from}
	defer g.close()
	for err == nil && b.Copied && !b.Done && ctx.Err() == nil && m.wanted() && m.refusal() == "" {
		err = g.step(ctx, &b)
		m.note(&b, nil)
	}
	if err == nil {
		err = ctx.Err()
	}
	return b, err
}

// step commits a step of a build and says how far it is then.
func (r *Runtime) stepBuild(ctx context.Context, name string, b *log.StateBuild, s log.BuildStep) error {
	s.From = *b
	if err := r.store.StepBuild(ctx, name, s); err != nil {
		return err
	}
	s.To.Commits = b.Commits + 1
	*b = s.To
	if r.opts.onBuildStep != nil {
		r.opts.onBuildStep()
	}
	return nil
}

// copySome copies the next keys. Nobody writes the old version meanwhile.
func (c *crew) copySome(ctx context.Context, b *log.StateBuild, from uint32) error {
	snapshot := c.r.store.Snapshot()
	defer snapshot.Close()
	s := log.BuildStep{To: *b}
	size := 0
	s.To.Copied = true
	err := snapshot.State(c.name, from).Scan(nil, []byte(b.After), func(key, value []byte) bool {
		if len(s.Writes) == copyKeys || size > copyBytes {
			s.To.Copied = false
			return false
		}
		size += len(key) + len(value)
		s.Writes = append(s.Writes, log.StateWrite{Key: bytes.Clone(key), Value: bytes.Clone(value)})
		s.To.After = string(key)
		return true
	})
	if err != nil {
		return err
	}
	s.To.Keys += uint64(len(s.Writes))
	return c.r.stepBuild(ctx, c.name, b, s)
}

// migrator calls avx_migrate.
type migrator struct {
	c        *crew
	m        *stateMove
	from     uint32
	instance *sandbox.Instance
}

func (g *migrator) close() {
	if g.instance != nil {
		_ = g.instance.Close(context.Background())
		g.instance = nil
	}
}

// step makes one call and commits it.
func (g *migrator) step(ctx context.Context, b *log.StateBuild) error {
	c, m := g.c, g.m
	snapshot := c.r.store.Snapshot()
	defer snapshot.Close()
	state := snapshot.State(c.name, m.gen.version)
	done, started := g.onCore(ctx, state)
	switch {
	case !started:
		return nil
	case done.Refused != "":
		m.refuse(done.Refused)
		return nil
	case done.More && len(done.Writes) == 0:
		m.refuse("avx_migrate says that there is more to do and wrote nothing: it would never end; keep how far it is in the state")
		return nil
	case done.More && b.Commits >= maxMigrateCalls:
		m.refuse(fmt.Sprintf("avx_migrate is not done after %d calls", b.Commits))
		return nil
	}
	s := log.BuildStep{To: *b, Writes: writes(done.Writes)}
	s.To.Keys += uint64(len(done.Writes))
	s.To.Done = !done.More
	return c.r.stepBuild(ctx, c.name, b, s)
}

// onCore makes one call, on a new instance where there is none, and says whether there was one.
func (g *migrator) onCore(ctx context.Context, state sandbox.StateReader) (done sandbox.Migration, started bool) {
	t := coreTime{cores: g.c.r.cores, share: &g.c.share}
	t.begin()
	defer t.end()
	if g.instance == nil {
		config := g.m.gen.sandboxConfig()
		config.OnLog = g.c.all()[0].guestLog
		instance, err := t.instantiate(ctx, g.m.gen.module, config, state)
		if err != nil {
			g.m.refuse("the module did not start: " + err.Error())
			return done, false
		}
		g.instance = instance
	}
	done = g.instance.Migrate(g.from, state)
	t.burnt += max(done.Fuel, 0)
	return done, true
}
