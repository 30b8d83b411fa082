package runtime_test

import (
	"context"
	"io/fs"
	"sync/atomic"
	"testing"
	"testing/fstest"
)

// slowModules is a plugins folder that calls a func before it reads a file.
type slowModules struct {
	fstest.MapFS
	before func()
}

// ReadFile is fs.ReadFileFS's.
func (m slowModules) ReadFile(name string) ([]byte, error) {
	m.before()
	return fs.ReadFile(m.MapFS, name)
}

// TestSwitchBesideAPlan: a version goes into service while a plan is built that no more wants it.
// The plan is built again for what runs by then, and the old module does not write into the new state.
func TestSwitchBesideAPlan(t *testing.T) {
	v := newVersionSite(t, "")
	v.pay(3000)
	v.settled()
	stop(t, v.r)
	held, goOn := v.holdBuild(2)
	var meanwhile atomic.Pointer[func()]
	v.opts.Modules = slowModules{fstest.MapFS{"other.wasm": {Data: tally(t, "tally")}}, func() {
		if fn := meanwhile.Swap(nil); fn != nil {
			(*fn)()
		}
	}}
	const other = "\n[[subscriber]]\nname = \"zz\"\nmodule = \"other.wasm\"\ntopics = [\"none.*\"]\n"
	v.extra = other
	v.want(2, "tally2")
	v.start()
	<-held
	v.extra = "partitions = 2\n" + other
	v.want(1, "tally")
	fn := func() {
		close(goOn)
		eventually(t, func() bool { return v.status().StateVersion == 2 })
	}
	meanwhile.Store(&fn)
	if err := v.r.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	v.moved()
	v.pay(50)
	v.settled()
	plain := newVersionSite(t, "")
	plain.pay(3050)
	plain.settled()
	if got, want := v.state(), plain.state(); got != want || v.status().StateVersion != 1 {
		t.Errorf("version %d\ngot  %s\nwant %s", v.status().StateVersion, got, want)
	}
	v.once(3050)
	v.wantHistory("1 v1 manifest: replaced, 2 v2 file: replaced, 3 v1 file: in service")
}

// TestMoveInPlaceOfAnother: what comes in the place of a migration that is under way is done.
func TestMoveInPlaceOfAnother(t *testing.T) {
	v := newVersionSite(t, "")
	v.pay(100)
	v.settled()
	stop(t, v.r)
	held, goOn := v.holdBuild(2)
	v.want(2, "tally2-migrates")
	v.start()
	<-held
	v.extra = `retry = { attempts = 3, backoff = "1ms..2ms" }`
	v.want(2, "tally2-migrates")
	if err := v.r.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	v.moved()
	v.pay(10)
	v.settled()
	if got, want := v.state(), freshState(t, 110); got != want || v.status().StateVersion != 2 {
		t.Errorf("version %d\ngot  %s\nwant %s", v.status().StateVersion, got, want)
	}
	v.once(110)
}
