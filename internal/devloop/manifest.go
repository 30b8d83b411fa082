package devloop

import (
	"context"
	"crypto/sha256"
	"maps"
	"os"
	"strings"

	"github.com/avx-platform/avxrt/internal/manifest"
)

// read digests the manifest and the modules that have no sources here.
func (l *Loop) read() map[string][sha256.Size]byte {
	texts := map[string][sha256.Size]byte{}
	for _, path := range append(l.prebuilt(), l.manifest.Path) {
		text, _ := os.ReadFile(path) // one that is not there is as good as empty: the node will say so
		texts[path] = sha256.Sum256(text)
	}
	return texts
}

// reread takes a changed manifest, and says whether anything had changed, and whether the node
// should read it and the modules again. One that is wrong is told of; the loop goes on with the
// one before.
func (l *Loop) reread() (changed, adopt bool) {
	now := l.read()
	if maps.Equal(now, l.texts) {
		return false, false
	}
	other := now[l.manifest.Path] != l.texts[l.manifest.Path]
	l.texts = now
	if !other {
		return true, true
	}
	m, err := manifest.Load(l.opts.Manifest, l.opts.LookupEnv)
	before := l.manifest
	if err == nil {
		l.manifest = m
		if err = l.find(); err != nil {
			l.manifest = before
			_ = l.find() // as it was
		}
	}
	if err != nil {
		l.say("%s  NOT adopted; what runs goes on\n%s", l.opts.Manifest, indent(err.Error()))
		return true, false
	}
	l.texts = l.read() // other modules may have no sources now
	changes := manifest.Diff(before, m)
	var parts []string
	for _, c := range []struct {
		verb  string
		names []string
	}{{"added", changes.Added}, {"removed", changes.Removed}, {"changed", changes.Changed}, {"after a restart:", changes.Restart}} {
		if len(c.names) > 0 {
			parts = append(parts, c.verb+" "+strings.Join(c.names, " "))
		}
	}
	if len(parts) == 0 {
		l.say("%s  saved, and means the same\n", l.opts.Manifest)
		return true, false
	}
	l.say("%s  %s\n", l.opts.Manifest, strings.Join(parts, ", "))
	return true, true
}

// reload lets the node take manifest and modules as they are.
func (l *Loop) reload(ctx context.Context) {
	if err := l.node.Reload(ctx); err != nil {
		if ctx.Err() == nil {
			l.say("  NOT adopted; what runs goes on\n%s", indent(err.Error()))
		}
		return
	}
	l.say("  adopted, from the next event on\n")
}
