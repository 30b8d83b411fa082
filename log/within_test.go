package log_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/log"
)

// placesWithin are what the store does to its files while it appends, commits, flushes and
// opens; the power is lost before each of them. The test fails if one is never met.
var placesWithin = []string{
	"create log", "create manifest", "create marker", "create new", "create sst", "write log", "write manifest", "write new", "write sst",
	"sync log", "sync manifest", "sync new", "sync sst", "sync folder", "remove log", "remove manifest", "remove marker", "remove sst", "rename new",
}

// losingPower takes the power away before some of the operations on the files of a store, on
// whatever goroutine they are, and keeps what survived.
type losingPower struct {
	fs *vfs.MemFS

	sync.Mutex
	rng     *rand.Rand
	every   int // one in so many operations; 0: none
	durable int // events that are acknowledged as durable now
	losses  []loss
}

type loss struct {
	place   string
	durable int
	fs      *vfs.MemFS
}

// String and MaybeError are errorfs.Injector's.
func (*losingPower) String() string { return "power losses" }

func (p *losingPower) MaybeError(op errorfs.Op) error {
	place := placeOf(op)
	p.Lock()
	defer p.Unlock()
	if place != "" && p.every > 0 && p.rng.IntN(p.every) == 0 {
		clone := p.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: p.rng.IntN(101), RNG: p.rng})
		p.losses = append(p.losses, loss{place, p.durable, clone})
	}
	return nil
}

// take returns the losses since it was last called; what is acknowledged now must outlive those that come.
func (p *losingPower) take(durable int) []loss {
	p.Lock()
	defer p.Unlock()
	losses := p.losses
	p.losses, p.durable = nil, durable
	return losses
}

// placeOf names an operation that changes files, by what it does and to which kind of file.
func placeOf(op errorfs.Op) string {
	kind, ok := map[errorfs.OpKind]string{
		errorfs.OpCreate: "create", errorfs.OpFileWrite: "write", errorfs.OpFileSync: "sync", errorfs.OpFileSyncData: "sync",
		errorfs.OpRename: "rename", errorfs.OpRemove: "remove", errorfs.OpLink: "link", errorfs.OpReuseForWrite: "reuse",
	}[op.Kind]
	if !ok {
		return ""
	}
	file := path.Base(op.Path)
	switch ext := path.Ext(file); {
	case strings.HasPrefix(file, "marker."):
		file = "marker"
	case strings.HasPrefix(file, "MANIFEST"):
		file = "manifest"
	case ext == "" || ext == ".": // nothing but folders is synced by such a name
		file = "folder"
	default:
		file = ext[1:]
	}
	return kind + " " + file
}

// TestPowerLossWithin takes the power away in the middle of appends, commits, flushes and of
// opening what survived: before any operation on a file. What [TestPowerLoss] checks between
// them holds then, too. A subscriber whose cursor and state are two commits is the planted breach.
func TestPowerLossWithin(t *testing.T) {
	size := fault.Size(t, 3000, 100_000)
	p := fault.Prove(t, "P3", "power losses in the middle of an operation", "an event changes a subscriber's state, emits and dead letters exactly once")
	rng, met := p.Rand(), map[string]int{}
	unmet := func(place string) bool { return met[place] == 0 }
	for done := 0; done < size || slices.ContainsFunc(placesWithin, unmet) && done < 20*size; {
		n, err := storyWithin(rng, met, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.Injected(n)
		done += n
	}
	t.Logf("the power was lost before %v", met)
	for _, place := range placesWithin {
		if unmet(place) {
			t.Errorf("the power was never lost before %q", place)
		}
	}
	for range 200 {
		if _, err := storyWithin(rng, map[string]int{}, func() {}); err != nil {
			p.Breach()
			return
		}
	}
	t.Error("the test does not find a cursor that is committed before the state")
}

// storyWithin runs one store, checks what survived each loss, and returns how many there were.
func storyWithin(rng *rand.Rand, met map[string]int, between func()) (losses int, err error) {
	power := &losingPower{fs: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(rng.Uint64(), 0))}
	h, fs := &history{rng: rng, between: between}, reuseFS{errorfs.Wrap(power.fs, power)}
	if err := h.open(fs); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, h.l.Close()) }()
	power.every = 1 + rng.IntN(20)
	for range 1 + rng.IntN(20) {
		if err := h.step(); err != nil {
			return losses, err
		}
		if rng.IntN(8) == 0 { // what is in memory is written when a store is opened
			if err := h.l.Close(); err != nil {
				return losses, err
			}
			if h.l, err = log.Open("db", crashOptions(fs)); err != nil {
				return losses, err
			}
		}
		for _, l := range power.take(h.durable) {
			n, err := l.check(rng, met)
			losses += n
			if err != nil {
				return losses, fmt.Errorf("before %q: %w", l.place, err)
			}
		}
	}
	return losses, nil
}

// check opens what survived, sometimes with one more loss while it is being opened.
func (l *loss) check(rng *rand.Rand, met map[string]int) (losses int, err error) {
	met[l.place]++
	h := &history{durable: l.durable}
	if rng.IntN(4) > 0 {
		return 1, h.check(reuseFS{l.fs})
	}
	power := &losingPower{fs: l.fs, rng: rand.New(rand.NewPCG(rng.Uint64(), 0)), every: 4}
	err = h.check(reuseFS{errorfs.Wrap(l.fs, power)})
	for _, again := range power.take(0) {
		if err == nil {
			met[again.place]++
			losses++
			err = h.check(reuseFS{again.fs})
		}
	}
	return 1 + losses, err
}
