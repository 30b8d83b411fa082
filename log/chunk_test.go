package log_test

import (
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

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

func FuzzChunk(f *testing.F) {
	f.Add(sampleChunk())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		log.Rows(raw)
		events, err := log.DecodeChunk(7, log.Resealed(raw))
		if err != nil {
			return
		}
		again, err := log.DecodeChunk(7, log.Resealed(raw))
		if err != nil || !reflect.DeepEqual(events, again) {
			t.Fatalf("the second reading differs: %v", err)
		}
	})
}
