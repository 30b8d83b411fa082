package avx

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/avx-platform/avxrt/abi"
)

// TestFrame holds the layout against the host's, both ways.
func TestFrame(t *testing.T) {
	if headerLen != abi.HeaderLen {
		t.Fatalf("the header has %d bytes here, %d at the host", headerLen, abi.HeaderLen)
	}
	ev := abi.Event{
		Seq: 1, Version: 2, Time: -3, Appended: 4, Attempt: 5, Kind: 6, Flags: 7,
		Topic: "t", Key: "k", ID: "i", Source: "s", ContentType: "c", Data: []byte("d"),
	}
	ev.Headers, _ = ev.Headers.Append("hops", "2")
	var got Event
	got.decode(abi.AppendFrame(nil, &ev))
	if got.Seq != 1 || got.Version != 2 || got.Time != -3 || got.Appended != 4 || got.Attempt != 5 || got.Kind != 6 || got.Flags != 7 ||
		got.Topic != "t" || got.Key != "k" || got.ID != "i" || got.Source != "s" || got.ContentType != "c" || string(got.Data) != "d" {
		t.Fatalf("decoded %+v", got)
	}
	if v, ok := got.Header("hops"); !ok || v != "2" {
		t.Fatalf("header hops is %q, %v", v, ok)
	}
	var back abi.Event
	if err := abi.DecodeFrame(appendFrame(nil, &Draft{Topic: "t", Key: "k", ContentType: "c", Data: []byte("d")}), &back); err != nil || back.Topic != "t" || back.Key != "k" || string(back.Data) != "d" {
		t.Fatalf("the host reads %+v, %v", back, err)
	}
}

// TestTimer sets and cancels timers, as the host reads them.
func TestTimer(t *testing.T) {
	Handle(func(ev *Event) error {
		if err := Timer("again", ev.Time+5, "t", "k", []byte("d")); err != nil {
			return err
		}
		var back abi.Event
		if err := abi.DecodeFrame(frameBuf, &back); err != nil {
			t.Fatal(err)
		}
		if name, _ := back.Headers.Get(abi.HeaderTimer); name != "again" || back.Time != 12 || back.Topic != "t" || back.Key != "k" || string(back.Data) != "d" {
			t.Errorf("the host reads %+v, timer %q", back, name)
		}
		return Cancel("other")
	})
	var f Fake
	if err := f.Deliver(&Event{Time: 7}); err != nil {
		t.Fatal(err)
	}
	want := []Emitted{{Topic: "t", Key: "k", Data: "d", Timer: "again", Time: 12}, {Timer: "other"}}
	if !slices.Equal(f.Emits, want) {
		t.Errorf("got %+v, want %+v", f.Emits, want)
	}
}

// FuzzJSON holds the reader against encoding/json: both accept the same texts, but for
// depth, and strings and integers have the same values.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"x\u00e9\ud83d\ude00",true,null]}`, `"\ud800"`, `[]`, `{"a":1,}`, `01`, ` 5 `, `"` + "\x01" + `"`, `[1 2]`, `{"a" 1}`, `-`, `1e`, `nul`, `"\q"`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		j := ReadJSON(b)
		j.Skip()
		ok := j.End() == nil
		if want := json.Valid(b); ok != want && deepest(b) <= maxDepth {
			t.Fatalf("%q: accepted %v, encoding/json says %v", b, ok, want)
		}
		var s string
		if json.Unmarshal(b, &s) == nil && len(b) > 0 && b[0] == '"' {
			j := ReadJSON(b)
			if got := string(j.String().Append(nil)); string([]rune(got)) != s {
				t.Fatalf("%q: got %q, want %q", b, got, s)
			}
		}
		var n int64
		if json.Unmarshal(b, &n) == nil && string(b) != "null" {
			j := ReadJSON(b)
			if got := j.Int(); j.End() == nil && got != n {
				t.Fatalf("%q: got %d, want %d", b, got, n)
			}
		}
	})
}

func deepest(b []byte) int {
	depth, most := 0, 0
	for _, c := range b {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		most = max(most, depth)
	}
	return most
}

func TestJSONDoesNotAllocate(t *testing.T) {
	text := []byte(`{"order":"7","lines":[{"sku":"A","qty":2},{"sku":"B","qty":3}]}`)
	sum := int64(0)
	n := testing.AllocsPerRun(100, func() {
		j := ReadJSON(text)
		for j.Object(); j.Key(); {
			if !j.Is("lines") {
				j.Skip()
				continue
			}
			for j.List(); j.Item(); {
				for j.Object(); j.Key(); {
					if j.Is("qty") {
						sum += j.Int()
					} else {
						j.Skip()
					}
				}
			}
		}
		if j.End() != nil {
			t.Fatal("malformed")
		}
	})
	if n != 0 || sum == 0 {
		t.Fatalf("%v allocations, sum %d", n, sum)
	}
}

// TestMigrate answers what the contract wants of avx_migrate.
func TestMigrate(t *testing.T) {
	f := &Fake{}
	host = f
	for _, c := range []struct {
		more bool
		err  error
		want int32
	}{{true, nil, 1}, {false, nil, 0}, {true, NotFound, -1}} {
		got := Migrate(3, func(from int) (bool, error) {
			if from != 3 {
				t.Errorf("from %d", from)
			}
			return c.more, c.err
		})
		if got != c.want {
			t.Errorf("%v, %v gives %d, want %d", c.more, c.err, got, c.want)
		}
	}
	if len(f.Logs) != 1 {
		t.Errorf("said %q", f.Logs)
	}
}
