package log_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/fault"
	"github.com/avx-platform/avxrt/log"
)

// TestBitRot damages files of a store that was closed: flips a bit, zeroes a part, cuts,
// deletes, or puts an older copy in the place of a file. Either everything can still be read
// as it was, or opening, reading or verification says that it cannot.
func TestBitRot(t *testing.T) {
	n := fault.Size(t, 500, 20_000)
	p := fault.Prove(t, "P5", "damaged files", "a damaged or shortened store is reported, never opened as if whole")
	rng := p.Rand()
	older, store, want := rotStores(t)
	silent := func(rot string, opts log.Options) (outcome string) {
		got, err := contents(store, opts, func(fs *vfs.MemFS) string {
			rot = damageFile(t, rng, fs, older)
			return rot
		})
		switch {
		case err != nil:
			if !errors.Is(err, log.ErrDamaged) {
				t.Errorf("%s: the error is not damage: %v", rot, err)
			}
			return "reported"
		case got == want:
			return "harmless"
		}
		return "silent: " + rot + "\n" + got
	}
	outcomes := map[string]int{}
	for range n {
		o := silent("", crashOptions(nil))
		if strings.HasPrefix(o, "silent") {
			t.Fatal(o)
		}
		outcomes[o]++
		p.Injected(1)
	}
	t.Logf("%v", outcomes)
	if outcomes["reported"] == 0 || outcomes["harmless"] == 0 {
		t.Errorf("all damage came out the same: %v", outcomes)
	}
	// The breach: a store that is opened as if whole.
	for range 500 {
		opts := crashOptions(nil)
		opts.AcceptLoss = true
		if strings.HasPrefix(silent("", opts), "silent") {
			p.Breach()
			return
		}
	}
	t.Error("the test does not notice a store that is opened as if whole")
}

// rotStores makes a store with tables, a write-ahead log and an older copy of all of it.
func rotStores(t *testing.T) (older, store *vfs.MemFS, want string) {
	fs := vfs.NewCrashableMem()
	h := &history{rng: rand.New(rand.NewPCG(1, 1)), opts: log.WithSizes(crashOptions(reuseFS{fs}), 256<<10, 64)}
	copyAll := func() *vfs.MemFS { return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: h.rng}) }
	for round := range 3 {
		l, err := log.Open("db", h.opts)
		if err != nil {
			t.Fatal(err)
		}
		h.l = l
		if round == 0 {
			h.cursor = 1
			if _, err := l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1}); err != nil {
				t.Fatal(err)
			}
		}
		for range 300 {
			if err := h.step(); err != nil {
				t.Fatal(err)
			}
			big := event("big", fmt.Sprint(h.rng.IntN(50)), "")
			big.Data = bytes.Repeat([]byte{byte(h.rng.IntN(256))}, h.rng.IntN(8000))
			appendOK(t, l, log.Accepted, big)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if round == 1 {
			older = copyAll()
		}
	}
	store = copyAll()
	want, err := contents(store, crashOptions(nil), func(*vfs.MemFS) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	return older, store, want
}

// contents copies the store, lets change damage the copy, and reads all of it.
func contents(store *vfs.MemFS, opts log.Options, change func(*vfs.MemFS) string) (string, error) {
	fs := store.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	change(fs)
	opts = log.WithFS(opts, reuseFS{fs})
	l, err := log.Open("db", opts)
	if err != nil {
		return "", err
	}
	text, err := dump(l)
	report, verr := l.Verify(ctx, nil)
	err = errors.Join(err, verr)
	for _, d := range report.Damage {
		err = errors.Join(err, d)
	}
	if errors.Is(err, log.ErrDamaged) { // an engine that met damage may not close
		_ = l.Close()
		return "", err
	}
	return text, errors.Join(err, l.Close())
}

// dump reads everything that a reader can see.
func dump(l *log.Log) (string, error) {
	var out strings.Builder
	r := l.NewReader(log.ReadOptions{Borrow: true})
	defer r.Close()
	var ev abi.Event
	for r.Next(&ev) {
		if ev.Topic != "$sys.loss" {
			fmt.Fprintf(&out, "%d %s %s@%d %s %x\n", ev.Seq, ev.Topic, ev.Key, ev.Version, ev.ID, ev.Data)
		}
	}
	if err := r.Err(); err != nil {
		return "", err
	}
	cursor, err := l.Cursor("s")
	if err != nil && !errors.Is(err, log.ErrNotFound) {
		return "", err
	}
	snap := l.Snapshot()
	defer snap.Close()
	digest, err := snap.State("s", 1).Digest()
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&out, "cursor %d state %s\n", cursor.Next, digest)
	err = l.DeadLetters("s", 0, func(d log.DeadLetter) bool {
		fmt.Fprintf(&out, "dead letter %d %s\n", d.Seq, d.Reason)
		return true
	})
	if err != nil {
		return "", err
	}
	return out.String(), nil
}

// damageFile damages one file of the store and says how.
func damageFile(t *testing.T, rng *rand.Rand, fs, older *vfs.MemFS) string {
	t.Helper()
	names, err := fs.List("db")
	if err != nil {
		t.Fatal(err)
	}
	var name string
	var data []byte
	for len(data) == 0 {
		name = "db/" + names[rng.IntN(len(names))]
		data = readFile(t, fs, name)
	}
	switch rng.IntN(5) {
	case 0:
		bit := rng.IntN(8 * len(data))
		data[bit/8] ^= 1 << (bit % 8)
		writeFile(t, fs, name, data)
		return fmt.Sprintf("%s: bit %d flipped", name, bit)
	case 1:
		at := rng.IntN(len(data))
		clear(data[at:min(at+4096, len(data))])
		writeFile(t, fs, name, data)
		return fmt.Sprintf("%s: zeros from byte %d", name, at)
	case 2:
		at := rng.IntN(len(data))
		writeFile(t, fs, name, data[:at])
		return fmt.Sprintf("%s: cut at byte %d", name, at)
	case 3:
		if err := fs.Remove(name); err != nil {
			t.Fatal(err)
		}
		return name + ": deleted"
	}
	if _, err := older.Stat(name); err != nil {
		return name + ": there is no older copy"
	}
	writeFile(t, fs, name, readFile(t, older, name))
	return name + ": replaced by an older copy"
}

func readFile(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t *testing.T, fs vfs.FS, name string, data []byte) {
	t.Helper()
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
