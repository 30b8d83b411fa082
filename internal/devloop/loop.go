package devloop

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/internal/build"
	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/watch"
	"github.com/avx-platform/avxrt/runtime"
)

// Options make a loop.
type Options struct {
	Manifest  string // path
	Scratch   string // folder for what is built and not yet in service; it is made
	LookupEnv manifest.LookupEnv
	Replay    int       // how many past events a new module handles before it goes into service; 0: none
	Out       io.Writer // gets the blocks

	// Settle is how long a source must have been left alone. Default 30 ms: editors write a
	// file at once.
	Settle time.Duration
}

// Loop is a manifest with the projects whose modules it names.
type Loop struct {
	opts     Options
	node     *runtime.Runtime // nil before Run
	manifest *manifest.Manifest
	projects []*project
	texts    map[string][sha256.Size]byte // of manifest and prebuilt modules, by path
}

// project is the sources of one module.
type project struct {
	build.Project
	module      string   // file of the module in the plugins folder
	subscribers []string // that run it
	sources     [sha256.Size]byte
	serving     string // digest of what was put into service last
	failed      bool   // the last build was refused
}

// Open reads the manifest, finds its projects, and builds the modules that are not there yet;
// where that fails, it waits for sources with which it does not.
func Open(ctx context.Context, opts Options) (*Loop, error) {
	if opts.Settle == 0 {
		opts.Settle = 30 * time.Millisecond
	}
	if err := os.MkdirAll(opts.Scratch, 0o755); err != nil {
		return nil, err
	}
	m, err := manifest.Load(opts.Manifest, opts.LookupEnv)
	if err != nil {
		return nil, err
	}
	l := &Loop{opts: opts, manifest: m}
	if err := l.find(); err != nil {
		return nil, err
	}
	missing := func() (left bool) {
		for _, p := range l.projects {
			if _, err := os.Stat(p.module); errors.Is(err, fs.ErrNotExist) && p.changed() {
				l.first(ctx, p)
			}
			left = left || p.failed
		}
		return left
	}
	if missing() {
		waiting, stop := context.WithCancel(ctx)
		defer stop()
		watch.Run(waiting, watch.Options{Look: l.look, Settle: opts.Settle}, func() {
			if !missing() {
				stop()
			}
		})
	}
	return l, ctx.Err()
}

// Watched returns the paths of the files that are watched, sorted, and behind them the folders of
// crates outside of the projects, each with a / at its end, in the place of their files.
func (l *Loop) Watched() []string {
	var crates []string
	for _, p := range l.projects {
		for _, dir := range p.Crates() {
			crates = append(crates, dir+string(filepath.Separator))
		}
	}
	slices.Sort(crates)
	crates = slices.Compact(crates)
	_, files := l.look()
	own := slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(path string) bool {
		return !l.isOwn(path) && slices.ContainsFunc(crates, func(dir string) bool { return strings.HasPrefix(path, dir) })
	})
	return append(own, crates...)
}

// isOwn says whether a file lies in the folder of a project, which may itself lie in a crate's.
func (l *Loop) isOwn(path string) bool {
	return slices.ContainsFunc(l.projects, func(p *project) bool { return strings.HasPrefix(path, p.Dir+string(filepath.Separator)) })
}

// Run builds what is older than its sources, and then whatever changes, until ctx ends.
func (l *Loop) Run(ctx context.Context, node *runtime.Runtime) error {
	l.node = node
	l.texts = l.read()
	for _, p := range l.projects {
		for _, s := range node.Subscribers() {
			if slices.Contains(p.subscribers, s.Name) {
				p.serving = s.Digest
			}
		}
	}
	begin := func() {
		for _, p := range l.projects {
			if p.changed() {
				l.renew(ctx, p, false)
			}
		}
	}
	begin()
	watch.Run(ctx, watch.Options{Look: l.look, Settle: l.opts.Settle}, func() { l.turn(ctx) })
	return nil
}

// turn deals with one change.
func (l *Loop) turn(ctx context.Context) {
	changed, adopt := l.reread()
	for _, p := range l.projects {
		if p.changed() {
			changed = true
			l.renew(ctx, p, true)
		}
	}
	switch {
	case adopt:
		l.reload(ctx)
	case !changed:
		l.say("saved without a change: nothing to build\n")
	}
}

// find looks for the sources of the manifest's modules: in its folder and in those below it.
func (l *Loop) find() error {
	dir := filepath.Dir(l.manifest.Path)
	dirs := []string{dir}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			dirs = append(dirs, filepath.Join(dir, e.Name()))
		}
	}
	before := l.projects
	l.projects = nil
	var own error // why the manifest's own folder is no project
	for i, dir := range dirs {
		found, err := build.Find(dir, "", "")
		if err == nil {
			if p := l.project(found, before); len(p.subscribers) > 0 {
				l.projects = append(l.projects, p)
			}
		} else if i == 0 {
			own = err
		}
	}
	if len(l.projects) > 0 {
		return nil
	}
	err = fmt.Errorf("no module of %s has its sources here; avxrt run runs modules that are built already", l.opts.Manifest)
	return errors.Join(err, own)
}

// project is what was known of a project before, or a new one.
func (l *Loop) project(found build.Project, before []*project) *project {
	p := &project{Project: found, module: found.File}
	for _, b := range before {
		if b.Dir == found.Dir && b.module == found.File {
			p = b
		}
	}
	p.File = filepath.Join(l.opts.Scratch, filepath.Base(p.module))
	p.subscribers = nil
	subs, _ := l.manifest.OfFile(p.module) // its path is absolute
	for _, s := range subs {
		p.subscribers = append(p.subscribers, s.Name)
	}
	return p
}

// prebuilt returns the modules that have no sources here.
func (l *Loop) prebuilt() (paths []string) {
	for i := range l.manifest.Subscribers {
		file := l.manifest.File(&l.manifest.Subscribers[i])
		if !slices.ContainsFunc(l.projects, func(p *project) bool { return p.module == file }) {
			paths = append(paths, file)
		}
	}
	return paths
}

// look names what is watched: sources, the manifest, and modules that have no sources here.
func (l *Loop) look() (folders []string, files map[string]string) {
	paths := append(l.prebuilt(), l.manifest.Path)
	for _, p := range l.projects {
		sources, err := p.Sources()
		if err != nil { // a folder went away in between; the next look sees it
			continue
		}
		folders = append(folders, p.Dir)
		paths = append(paths, sources...)
	}
	for _, path := range paths {
		folders = append(folders, filepath.Dir(path))
	}
	slices.Sort(folders)
	return slices.Compact(folders), watch.Stat(paths...)
}

// changed says whether the sources hold something else than when it was last asked.
func (p *project) changed() bool {
	sum := sha256.New()
	sources, err := p.Sources()
	if err != nil {
		return false
	}
	for _, path := range sources {
		text, _ := os.ReadFile(path) // one that cannot be read is as good as empty: the compiler will say why
		fmt.Fprintf(sum, "%s\x00%d\x00", path, len(text))
		sum.Write(text)
	}
	now := [sha256.Size]byte(sum.Sum(nil))
	if now == p.sources {
		return false
	}
	p.sources = now
	return true
}
