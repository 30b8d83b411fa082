package log_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

func sampleChunk() []byte {
	h, _ := abi.Headers(nil).Append("hops", "1")
	return log.EncodeChunk(7, 1000, []abi.Event{
		{Topic: "a.b", Key: "k", ID: "i1", Source: "s", Time: -5, Data: []byte("one")},
		{Topic: "c", ID: "i2", Source: "s", ContentType: "text/plain", Headers: h},
		{Topic: "a.b", Key: "k", ID: "i3", Source: "s", Kind: abi.KindTimer, Data: []byte("three")},
	})
}

// TestChunkGolden pins the bytes on disk: a change here needs a new format version and a
// reader for this one.
func TestChunkGolden(t *testing.T) {
	if got := hex.EncodeToString(sampleChunk()); got != hex.EncodeToString(golden(t, "chunk-v2.hex")) {
		t.Fatalf("the bytes changed:\n%s", got)
	}
	for _, name := range []string{"chunk-v1.hex", "chunk-v2.hex"} {
		events, err := log.DecodeChunk(7, golden(t, name))
		if err != nil || len(events) != 3 {
			t.Fatalf("%s: %d events, %v", name, len(events), err)
		}
		if e := events[2]; e.Seq != 9 || e.Version != 2 || e.Kind != abi.KindTimer || e.Time != 1002 || e.Appended != 1002 || string(e.Data) != "three" {
			t.Errorf("%s: third event %+v", name, e)
		}
		if e := events[0]; e.Time != -5 || e.Kind != abi.KindEvent || e.Version != 1 || e.Key != "k" {
			t.Errorf("%s: first event %+v", name, e)
		}
	}
}

// golden reads a file of hexadecimal digits.
func golden(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestChunkDamage flips every bit and cuts at every byte: no damage goes unnoticed.
func TestChunkDamage(t *testing.T) {
	good := sampleChunk()
	for i := range good {
		for bit := range 8 {
			bad := append([]byte(nil), good...)
			bad[i] ^= 1 << bit
			if _, err := log.DecodeChunk(7, bad); !errors.Is(err, log.ErrDamaged) {
				t.Fatalf("bit %d of byte %d: %v", bit, i, err)
			}
		}
		if _, err := log.DecodeChunk(7, good[:i]); !errors.Is(err, log.ErrDamaged) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	if _, err := log.DecodeChunk(8, good); !errors.Is(err, log.ErrDamaged) {
		t.Fatalf("under another seq: %v", err)
	}
}

// TestHostileChunks changes bytes of good chunks of both formats and seals them again:
// whatever they say now, nobody who reads them reaches outside of them.
func TestHostileChunks(t *testing.T) {
	good := [][]byte{sampleChunk()}
	old, err := os.ReadFile("testdata/chunk-v1.hex")
	if err != nil {
		t.Fatal(err)
	}
	v1, err := hex.DecodeString(strings.TrimSpace(string(old)))
	if err != nil {
		t.Fatal(err)
	}
	good = append(good, v1)
	rng := newRand(7)
	opened := 0
	for range 40_000 {
		raw := bytes.Clone(good[rng.IntN(len(good))])
		for range 1 + rng.IntN(3) {
			raw[8+rng.IntN(len(raw)-8)] = byte(rng.Uint32() >> (8 * rng.IntN(4)) & uint32(1<<rng.IntN(9)-1))
		}
		raw = log.Resealed(raw)
		log.UseChunk(7, raw)
		if _, err := log.DecodeChunk(7, raw); err == nil {
			opened++
		}
	}
	if opened < 1000 {
		t.Errorf("only %d of the changed chunks could be opened: the test tests nothing", opened)
	}
}

// FuzzChunk opens chunks whose checksum is right and whose contents are anything.
func FuzzChunk(f *testing.F) {
	f.Add(sampleChunk())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = log.Resealed(raw)
		log.UseChunk(7, raw)
		events, err := log.DecodeChunk(7, raw)
		if err != nil {
			return
		}
		again, err := log.DecodeChunk(7, raw)
		if err != nil || !reflect.DeepEqual(events, again) {
			t.Fatalf("the second reading differs: %v", err)
		}
	})
}

// FuzzRows decodes anything as every kind of row, and as the head mark.
func FuzzRows(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 1, 2, 3})
	f.Fuzz(func(_ *testing.T, raw []byte) { log.Rows(raw) })
}

// FuzzKeys takes anything apart as a key of each keyspace.
func FuzzKeys(f *testing.F) {
	f.Add([]byte{0x41, 0, 0, 0, 1})
	f.Add([]byte{0x18, 1, 's', 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(_ *testing.T, key []byte) { log.SplitKeys(key) })
}

// FuzzImport imports anything: a bad line is named, and what the report says is there.
func FuzzImport(f *testing.F) {
	f.Add([]byte("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"a.b\",\"data\":{}}\n"))
	f.Add([]byte("\n\n{"))
	f.Fuzz(func(t *testing.T, lines []byte) {
		l, err := log.Open("db", log.WithFS(log.Options{VerifyEvery: -1, CacheBytes: 1 << 20}, vfs.NewMem()))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		r, err := l.Import(ctx, bytes.NewReader(lines), nil)
		var wrong *log.LineError
		if err != nil && !errors.As(err, &wrong) {
			t.Fatalf("%v", err)
		}
		if r.Events != int(l.Head()) {
			t.Fatalf("%d events reported, %d are there", r.Events, l.Head())
		}
	})
}
