package runtime

import (
	"context"
	"path/filepath"

	"github.com/avx-platform/avxrt/internal/watch"
)

// watch reloads the plan when the manifest or a module changes.
func (r *Runtime) watch(ctx context.Context) {
	watch.Run(ctx, watch.Options{Look: r.watched, PollEvery: r.opts.PollEvery, Logger: r.opts.Logger}, func() {
		_ = r.Reload(ctx) // it logs and keeps the reason
	})
}

// watched names what the plan is made of.
func (r *Runtime) watched() (folders []string, files map[string]string) {
	m := r.manifestNow()
	paths := []string{r.opts.Manifest}
	for i := range m.Subscribers {
		paths = append(paths, m.File(&m.Subscribers[i]))
	}
	return []string{filepath.Dir(r.opts.Manifest), m.Plugins.Dir}, watch.Stat(paths...)
}
