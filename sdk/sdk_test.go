package sdk_test

import (
	"encoding/binary"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
)

// TestLayouts holds the frame offsets that the C, Rust and AssemblyScript SDKs write down against a frame
// of the host's, in which every field has a value of its own. The Go SDK has its own test.
func TestLayouts(t *testing.T) {
	ev := abi.Event{
		Flags: 1, Seq: 2, Time: 3, Version: 4, Kind: 5, Attempt: 6, Left: 7, Appended: 8,
		Topic: strings.Repeat("t", 11), Key: strings.Repeat("k", 12), ID: strings.Repeat("i", 13), Source: strings.Repeat("s", 14),
		ContentType: strings.Repeat("c", 15), Data: make([]byte, 17),
	}
	ev.Headers, _ = ev.Headers.Append("h", strings.Repeat("v", 11)) // 4+1+11 = 16 bytes
	frame := abi.AppendFrame(nil, &ev)
	want := map[string]uint32{
		"TOTAL": uint32(len(frame)), "HLEN": abi.HeaderLen, "FLAGS": 1, "SEQ": 2, "TIME": 3, "VERSION": 4, "KIND": 5, "ATTEMPT": 6, "LEFT": 7,
		"APPENDED": 8, "TOPIC": 11, "KEY": 12, "ID": 13, "SOURCE": 14, "CONTENT_TYPE": 15, "HEADERS": 16, "DATA": 17,
	}
	for path, pattern := range map[string]string{
		"c/avx.h":               `AVX_OFF_([A-Z]+) = (\d+)`,
		"rust/avx.rs":           `pub const ([A-Z_]+): usize = (\d+);`,
		"assemblyscript/avx.ts": `  export const ([A-Z_]+) = (\d+);`,
	} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			name, offset := m[1], atoi(t, m[2])
			if name == "HEADER_LEN" {
				if offset != abi.HeaderLen {
					t.Errorf("%s: the header has %d bytes, the host says %d", path, offset, abi.HeaderLen)
				}
				continue
			}
			if name == "TYPE" {
				name = "CONTENT_TYPE"
			}
			got := binary.LittleEndian.Uint32(frame[offset:])
			if name == "HLEN" || name == "FLAGS" || name == "KIND" {
				got &= 0xffff
			}
			if w, ok := want[name]; !ok || got != w {
				t.Errorf("%s: %s at %d reads %d, want %d", path, name, offset, got, w)
			}
			found++
		}
		if found != len(want) {
			t.Errorf("%s names %d fields, want %d", path, found, len(want))
		}
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
