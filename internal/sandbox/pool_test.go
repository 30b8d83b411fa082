package sandbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// use is what an owner does: it takes its instance, or makes one, runs it and leaves it.
func use(t testing.TB, m *sandbox.Module, place *sandbox.Place, seq abi.Seq, script string) (sandbox.Result, *sandbox.Instance) {
	i := place.Take()
	if i == nil {
		var err error
		if i, err = m.Instantiate(context.Background(), testConfig, memState{}); err != nil {
			t.Error(err)
			return sandbox.Result{}, nil
		}
	}
	r := i.Run(context.Background(), sandbox.Batch{Next: feed(seq, script), State: memState{}})
	place.Leave(i)
	return r, i
}

// nothingLeft checks that no instance of an engine has left a trace.
func nothingLeft(t *testing.T, e *sandbox.Engine) {
	t.Helper()
	if e.Held() != 0 || e.Mapped() != 0 || e.Watched() != 0 {
		t.Errorf("left behind: %d bytes, %d bytes of address space, %d instances in the watchdog", e.Held(), e.Mapped(), e.Watched())
	}
}

// TestPoolOfThousands: of three thousand owners, as many keep their instance as fit into the bound,
// those that ran last. What an owner gets done does not depend on it, and in the end nothing
// is left. A pool without a bound shows that the check of the bound can fail.
func TestPoolOfThousands(t *testing.T) {
	const bound = 8 << 20
	owners := 3000
	if raceEnabled {
		owners = 1000 // it is one goroutine; TestPoolTogether has many
	}
	for name, limit := range map[string]int64{"bound": bound, "planted breach": 1 << 40} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t)
			m, pool := load(t, e, probe), e.NewPool(limit)
			places := make([]*sandbox.Place, owners)
			for n := range places {
				places[n] = pool.Place()
			}
			over := false
			for n, place := range places {
				r, _ := use(t, m, place, abi.Seq(n+1), fmt.Sprintf("set n %d", n))
				if got, want := printResult(r), fmt.Sprintf("handled 1/1 set(n=%d) reply(0)", n); got != want {
					t.Fatalf("owner %d: %s, want %s", n, got, want)
				}
				over = over || e.Held() > bound
			}
			if over != (limit > bound) {
				t.Errorf("over the bound: %v, in the end %d bytes are held", over, e.Held())
			}
			kept := pool.Stats().Idle
			for n, place := range places {
				if place.Holds() != (n >= owners-kept) || place.Holds() != (place.MemoryBytes() != 0) {
					t.Fatalf("%d are kept, but owner %d has an instance: %v, of %d bytes", kept, n, place.Holds(), place.MemoryBytes())
				}
			}
			if st := pool.Stats(); st.Evicted != uint64(owners-kept) || st.Held != e.Held() || kept < 100 {
				t.Errorf("figures %+v of %d owners", st, owners)
			}
			for _, place := range places {
				place.Clear()
			}
			nothingLeft(t, e)
		})
	}
}

// oldestFirst is what a pool does, in plain words: places in the order in which they were left.
type oldestFirst struct {
	order []int
	bytes map[int]int64
	bound int64
}

func (o *oldestFirst) forget(n int) {
	o.order = slices.DeleteFunc(o.order, func(m int) bool { return m == n })
	delete(o.bytes, n)
}

func (o *oldestFirst) leave(n int, bytes int64) {
	o.forget(n)
	o.order, o.bytes[n] = append(o.order, n), bytes
	o.shrink()
}

func (o *oldestFirst) shrink() {
	sum := int64(0)
	for _, b := range o.bytes {
		sum += b
	}
	for len(o.order) > 0 && sum > o.bound {
		sum -= o.bytes[o.order[0]]
		o.forget(o.order[0])
	}
}

// TestPool compares a pool with that over random uses of guests of different sizes.
func TestPool(t *testing.T) {
	steps := 1500
	if raceEnabled {
		steps = 400 // as in TestPoolOfThousands
	}
	e := newEngine(t)
	modules := []*sandbox.Module{load(t, e, probe), hostileModule(t, e, "many-references"), hostileModule(t, e, "globals")}
	r := rand.New(rand.NewPCG(1, 2))
	pool, want := e.NewPool(4<<20), oldestFirst{bytes: map[int]int64{}, bound: 4 << 20}
	var places [24]*sandbox.Place
	for n := range places {
		places[n] = pool.Place()
	}
	for step := range steps {
		n := r.IntN(len(places))
		switch r.IntN(12) {
		case 0:
			places[n].Clear()
			want.forget(n)
		case 1:
			want.bound = r.Int64N(8 << 20)
			pool.Resize(want.bound)
			want.shrink()
		case 2: // an instance that is of no use any more does not stay
			use(t, modules[0], places[0], 1, "trap")
			want.forget(0)
		default:
			r, i := use(t, modules[n%len(modules)], places[n], abi.Seq(step+1), "")
			switch bytes := i.Bytes(); {
			case r.Failure != nil:
				want.forget(n)
			case bytes == 0: // it is gone already, and all others before it: it does not fit alone
				want.leave(n, want.bound+1)
			default:
				want.leave(n, bytes)
			}
		}
		for n, place := range places {
			if _, kept := want.bytes[n]; kept != place.Holds() {
				t.Fatalf("step %d: place %d has an instance: %v, want %v (bound %d, order %v)", step, n, place.Holds(), kept, want.bound, want.order)
			}
		}
	}
	if pool.Stats().Evicted < 100 {
		t.Errorf("only %d were closed for the bound", pool.Stats().Evicted)
	}
	for _, place := range places {
		place.Clear()
	}
	nothingLeft(t, e)
}

// TestPoolTogether: owners on many goroutines, far more than fit, while the bound changes. An
// instance that was closed while it ran would end the process.
func TestPoolTogether(t *testing.T) {
	e := newEngine(t)
	m, pool := load(t, e, probe), e.NewPool(100<<10)
	var wg sync.WaitGroup
	for owner := range 16 {
		wg.Go(func() {
			place := pool.Place()
			defer place.Clear()
			for n := range 200 {
				if r, _ := use(t, m, place, abi.Seq(n+1), fmt.Sprintf("set k %d.%d", owner, n)); len(r.Writes) != 1 || string(r.Writes[0].Value) != fmt.Sprintf("%d.%d", owner, n) {
					t.Errorf("owner %d, run %d: %s", owner, n, printResult(r))
					return
				}
				if owner == 0 {
					pool.Resize(int64(n%5) * 50 << 10)
				}
			}
		})
	}
	wg.Wait()
	if pool.Stats().Evicted == 0 {
		t.Error("nothing was closed")
	}
	nothingLeft(t, e)
}
