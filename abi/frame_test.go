package abi_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/avx-platform/avxrt/abi"
)

// full is an event in which every field has a value of its own.
func full(t testing.TB) abi.Event {
	t.Helper()
	var h abi.Headers
	for _, kv := range [][2]string{{"correlationid", "c-1"}, {"hops", "2"}, {"empty", ""}} {
		var err error
		if h, err = h.Append(kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	return abi.Event{
		Seq: 0x0102030405060708, Version: 0x1112131415161718, Time: -2, Appended: 0x2122232425262728,
		Attempt: 0x31323334, Left: 0x41424344, Kind: abi.KindTimer, Flags: abi.FlagReplay | abi.FlagReadOnly,
		Topic: "users.created", Key: "user-ü", ID: "id-1", Source: "/shop", ContentType: "text/plain",
		Headers: h, Data: []byte("hello\x00world"),
	}
}

func TestFrameRoundTrip(t *testing.T) {
	for name, want := range map[string]abi.Event{"empty": {}, "full": full(t), "data": {Topic: "a", Data: make([]byte, 1<<20)}} {
		t.Run(name, func(t *testing.T) {
			frame := abi.AppendFrame(nil, &want)
			if len(frame) != abi.FrameLen(&want) {
				t.Fatalf("frame has %d bytes, FrameLen says %d", len(frame), abi.FrameLen(&want))
			}
			put := make([]byte, len(frame))
			if n := abi.PutFrame(put, &want); n != len(frame) || string(put) != string(frame) {
				t.Fatalf("PutFrame wrote %d bytes that differ from AppendFrame's %d", n, len(frame))
			}
			if n := abi.PutFrame(put[:len(put)-1], &want); n != len(frame) {
				t.Fatalf("PutFrame into a short buffer said %d, want %d", n, len(frame))
			}
			var got abi.Event
			if err := abi.DecodeFrame(frame, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.Clone(), got.Clone(), cmp.Transformer("bytes", func(b []byte) string { return string(b) })); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

// TestFrameGolden pins the bytes: a change here is a change of the contract, which needs a new major version.
func TestFrameGolden(t *testing.T) {
	ev := full(t)
	got := hexLines(abi.AppendFrame(nil, &ev))
	path := filepath.Join("testdata", "frame.hex")
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Fatalf("frame bytes differ from %s; got\n%s", path, got)
	}
}

func hexLines(b []byte) string {
	var sb strings.Builder
	for len(b) > 0 {
		n := min(16, len(b))
		sb.WriteString(hex.EncodeToString(b[:n]) + "\n")
		b = b[n:]
	}
	return sb.String()
}

func TestDecodeFrameRefuses(t *testing.T) {
	ev := full(t)
	good := abi.AppendFrame(nil, &ev)
	put32 := func(off int, v uint32) []byte {
		b := append([]byte(nil), good...)
		binary.LittleEndian.PutUint32(b[off:], v)
		return b
	}
	put16 := func(off int, v uint16) []byte {
		b := append([]byte(nil), good...)
		binary.LittleEndian.PutUint16(b[off:], v)
		return b
	}
	tests := []struct {
		name  string
		frame []byte
		want  string
	}{
		{"empty", nil, "length of the frame's bytes is 0"},
		{"cut header", good[:95], "length of the frame's bytes is 95"},
		{"cut data", good[:len(good)-1], "total length"},
		{"longer than it says", append(append([]byte(nil), good...), 0), "total length"},
		{"short hlen", put16(4, 95), "header length is 95"},
		{"huge hlen", put16(4, 0xffff), "header length is 65535"},
		{"huge topic", put32(44, 0xffffffff), "topic length is 4294967295"},
		{"huge data", put32(68, 0xfffffff0), "data length"},
		{"short data", put32(68, 1), "sum of the part lengths"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got abi.Event
			err := abi.DecodeFrame(tt.frame, &got)
			var fe *abi.FrameError
			if !errors.As(err, &fe) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want a FrameError with %q", err, tt.want)
			}
		})
	}
	t.Run("headers", func(t *testing.T) {
		b := abi.AppendFrame(nil, &abi.Event{Topic: "a", Headers: abi.Headers{9, 0, 0, 0, 'x'}})
		var got abi.Event
		if err := abi.DecodeFrame(b, &got); !errors.Is(err, abi.ErrHeader) {
			t.Fatalf("got %v, want ErrHeader", err)
		}
	})
}

// TestLongerHeader checks the promise to 1.x: a reader of 1.0 skips fields that it does not know.
func TestLongerHeader(t *testing.T) {
	ev := full(t)
	b := abi.AppendFrame(nil, &ev)
	longer := append(append(append([]byte(nil), b[:abi.HeaderLen]...), make([]byte, 8)...), b[abi.HeaderLen:]...)
	binary.LittleEndian.PutUint32(longer, uint32(len(longer)))
	binary.LittleEndian.PutUint16(longer[4:], abi.HeaderLen+8)
	var got abi.Event
	if err := abi.DecodeFrame(longer, &got); err != nil || got.Topic != ev.Topic || string(got.Data) != string(ev.Data) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestHeaders(t *testing.T) {
	var h abi.Headers
	if _, err := h.Append("", "x"); !errors.Is(err, abi.ErrHeader) {
		t.Fatalf("empty key: got %v", err)
	}
	if _, err := h.Append("k", strings.Repeat("v", 1<<16)); !errors.Is(err, abi.ErrHeader) {
		t.Fatalf("long value: got %v", err)
	}
	h, err := h.Append("k", "v1")
	if err != nil {
		t.Fatal(err)
	}
	h, _ = h.Append("k", "v2")
	if v, ok := h.Get("k"); !ok || v != "v1" {
		t.Fatalf("got %q %v, want the first value", v, ok)
	}
	if _, ok := h.Get("absent"); ok {
		t.Fatal("an absent header was found")
	}
	if err := h[:len(h)-1].Check(); !errors.Is(err, abi.ErrHeader) {
		t.Fatalf("cut list: got %v", err)
	}
}

func TestDecodeFrameDoesNotAllocate(t *testing.T) {
	ev := full(t)
	frame := abi.AppendFrame(nil, &ev)
	buf := make([]byte, 0, len(frame))
	var got abi.Event
	allocs := testing.AllocsPerRun(100, func() {
		if err := abi.DecodeFrame(frame, &got); err != nil {
			t.Fatal(err)
		}
		if _, ok := got.Headers.Get("hops"); !ok {
			t.Fatal("no hops")
		}
		buf = abi.AppendFrame(buf[:0], &got)
	})
	if allocs != 0 {
		t.Fatalf("decode and encode allocate %v times, want 0", allocs)
	}
}

func TestStatusNames(t *testing.T) {
	seen := map[string]bool{}
	for s := abi.NotFound; s >= abi.Unsupported; s-- {
		if name := s.String(); seen[name] || strings.HasPrefix(name, "-") {
			t.Errorf("status %d has no name of its own: %q", int(s), name)
		} else {
			seen[name] = true
		}
	}
	if abi.Status(-99).String() != "-99" {
		t.Errorf("an unknown status prints as %q", abi.Status(-99))
	}
}

func FuzzDecodeFrame(f *testing.F) {
	ev := full(f)
	f.Add(abi.AppendFrame(nil, &ev))
	f.Add(abi.AppendFrame(nil, &abi.Event{}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var got abi.Event
		err := abi.DecodeFrame(b, &got)
		want, ok := reference(b)
		if ok != (err == nil) {
			t.Fatalf("reference accepts: %v, DecodeFrame: %v", ok, err)
		}
		if !ok {
			return
		}
		if diff := cmp.Diff(want, fmt.Sprintf("%+v", plain(&got))); diff != "" {
			t.Fatal(diff)
		}
		again := abi.AppendFrame(nil, &got)
		var second abi.Event
		if err := abi.DecodeFrame(again, &second); err != nil || fmt.Sprintf("%+v", plain(&second)) != want {
			t.Fatalf("encoding it again changed it: %v", err)
		}
	})
}
