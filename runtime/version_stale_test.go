package runtime_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/avx-platform/avxrt/runtime"
)

// TestRefusedBesideASwitch: a module is refused by its rehearsal while another subscriber comes to
// another state version, so that the plan is built twice. Who reloads is told of it all the same.
func TestRefusedBesideASwitch(t *testing.T) {
	v := newVersionSite(t, "")
	v.pay(3000)
	v.settled()
	stop(t, v.r)
	held, goOn := v.holdBuild(2)
	var meanwhile atomic.Pointer[func()]
	files := fstest.MapFS{"other.wasm": {Data: tally(t, "tally")}}
	v.opts.Modules = slowModules{files, func() {
		if fn := meanwhile.Swap(nil); fn != nil {
			(*fn)()
		}
	}}
	const other = "\n[[subscriber]]\nname = \"zz\"\nmodule = \"other.wasm\"\ntopics = [\"odd.*\"]\nemits = [\"tally.*\"]\nswap = { mode = \"shadow\", events = 10 }\n"
	v.extra = other
	v.want(2, "tally2")
	v.start()
	<-held
	events := payments("k", "13") // which the other module takes and the one that is to come rejects
	events[0].Topic = "odd.in"
	v.publish(events...)
	eventually(t, func() bool { st, err := v.r.Subscriber("zz"); return err == nil && st.Handled == 1 })
	v.want(1, "tally")
	files["other.wasm"] = &fstest.MapFile{Data: tally(t, "tally2")}
	fn := func() {
		close(goOn)
		eventually(t, func() bool { return v.status().StateVersion == 2 })
	}
	meanwhile.Store(&fn)
	err := v.r.Reload(context.Background())
	var refused *runtime.RefusedError
	if !errors.As(err, &refused) || refused.Subscriber != "zz" {
		t.Errorf("reload: %v, want that the module of zz is refused", err)
	}
	if st, err := v.r.Subscriber("zz"); err != nil || st.Refused != 1 || st.Problem == "" || st.Generation != 1 {
		t.Errorf("zz: %+v, %v", st, err)
	}
	if err := v.r.Reload(context.Background()); err != nil {
		t.Errorf("reload of what is refused already: %v", err)
	}
	v.moved()
	if st := v.status(); st.StateVersion != 1 {
		t.Errorf("version %d", st.StateVersion)
	}
}
