package runtime

import (
	"context"

	"github.com/avx-platform/avxrt/internal/rehearsal"
)

// Try is [Runtime.Deploy] for whoever works on a module. Whatever the manifest's swap says, it
// rehearses the module on the last events that the subscriber has dealt with, and asks accept
// whether it may go into service. Without events (last is 0, or the state changes its
// version) there is no rehearsal, accept is not asked, and the Deployment has no Report. Nothing
// is noted of a module that is not accepted.
func (r *Runtime) Try(ctx context.Context, name string, wasm []byte, last int, accept func(*rehearsal.Report) bool) (Deployment, error) {
	r.planning.Lock()
	defer r.planning.Unlock()
	d, spec, module, release, err := r.offered(ctx, name, wasm)
	if err != nil {
		return d, err
	}
	present := r.subscription(name).latest()
	if last > 0 && present.version == uint32(spec.StateVersion) {
		report, err := r.rehearse(ctx, present, newGeneration(0, spec, module), Span{Last: last})
		if err == nil {
			d.Report = &report
		}
		if err != nil || report.Events > 0 && !accept(&report) {
			release()
			return d, err
		}
	}
	r.remember(module) // so that it is not loaded again
	return r.replace(ctx, d, wasm, change{subscriber: name, cause: CauseDeploy})
}
