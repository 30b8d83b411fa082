package avx

import (
	"encoding/json"
	"math"
	"testing"
)

// FuzzJSONWriter writes what encoding/json must read back.
func FuzzJSONWriter(f *testing.F) {
	f.Add("a\"\\\n\x01é", int64(-12), 1.5, true)
	f.Add("", int64(math.MinInt64), math.Inf(1), false)
	f.Fuzz(func(t *testing.T, s string, n int64, x float64, yes bool) {
		var w JSONWriter
		w.Object().Key("key/" + s).String(s).Key("n").Int(n).Key("x").Float(x).Key("yes").Bool(yes)
		w.Key("list").List().Null().Decimal(n, 2).List().End().Object().End().Raw([]byte(`{"a":1}`)).End().End()
		var got struct {
			N    int64
			X    *float64
			Yes  bool
			List []any
		}
		if err := json.Unmarshal(w.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v", w.Bytes(), err)
		}
		if got.N != n || got.Yes != yes || len(got.List) != 5 || got.X != nil && *got.X != x || got.X == nil && !math.IsInf(x, 0) && !math.IsNaN(x) {
			t.Fatalf("%s", w.Bytes())
		}
		j := ReadJSON(w.Bytes())
		for j.Object(); j.Key(); {
			switch {
			case j.Is("x"):
				if !j.Null() && j.Float() != x {
					t.Fatal("x")
				}
			case j.Is("yes"):
				if j.Bool() != yes {
					t.Fatal("yes")
				}
			case j.Is("list"):
				j.List()
				j.Item()
				j.Null()
				j.Item()
				if got := j.Decimal(2); got != n {
					t.Fatalf("decimal is %d, want %d", got, n)
				}
				for j.Item() {
					j.Skip()
				}
			default:
				j.Skip()
			}
		}
		if err := j.End(); err != nil {
			t.Fatalf("%s: %v", w.Bytes(), err)
		}
	})
}

// TestWriterIsUsedAgain holds the memory, and none of the past.
func TestWriterIsUsedAgain(t *testing.T) {
	var w JSONWriter
	w.Object().Key("a")
	n := testing.AllocsPerRun(100, func() {
		w.Reset().List().Int(1).String("x").Decimal(-5, 1).End()
	})
	if got := string(w.Bytes()); got != `[1,"x",-0.5]` || n != 0 {
		t.Fatalf("got %s, %v allocations", got, n)
	}
}

// TestDepth holds that what the writer refuses to nest is malformed, as the readers say.
func TestDepth(t *testing.T) {
	for _, depth := range []int{maxDepth, maxDepth + 1} {
		var w JSONWriter
		for range depth {
			w.List()
		}
		for range depth {
			w.End()
		}
		j := ReadJSON(w.Bytes())
		j.Skip()
		if ok := j.End() == nil; ok != (depth == maxDepth) {
			t.Errorf("%d deep: %v", depth, ok)
		}
	}
}
