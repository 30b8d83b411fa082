package main

import (
	"strings"
	"testing"
)

// TestWriteTable: with room, lines have it and say where something was left out; numbers are never
// cut; without, everything is there.
func TestWriteTable(t *testing.T) {
	key := "order/" + strings.Repeat("k", 100) + "/end"
	rows := [][]string{{"SEQ", "KEY", "VALUE"}, {"1234567890123", key, strings.Repeat("v", 300)}, {"2", "東京", "w"}}
	kinds := []column{keepWhole, keepEnds, keepStart}
	for _, c := range []struct {
		room int
		want string
	}{
		{40, "" +
			"SEQ            KEY          VALUE\n" +
			"1234567890123  order…k/end  vvvvvvvvvv…\n" +
			"2              東京         w\n"},
		{20, "" + // it needs 33, so it has two lines of the terminal for each
			"SEQ            KEY          VALUE\n" +
			"1234567890123  order…k/end  vvvvvvvvvv…\n" +
			"2              東京         w\n"},
		{1, "" +
			"SEQ            KEY       VALUE\n" +
			"1234567890123  orde…end  vvvvvvv…\n" +
			"2              東京      w\n"},
		{0, "" +
			"SEQ            KEY   VALUE\n" +
			"1234567890123  " + key + "  " + strings.Repeat("v", 300) + "\n" +
			"2              東京  w\n"},
	} {
		var b strings.Builder
		if err := writeTable(&b, rows, kinds, c.room); err != nil || b.String() != c.want {
			t.Errorf("room %d: %v\n%swant\n%s", c.room, err, b.String(), c.want)
		}
	}
}

// TestShorten: no cell comes out wider than it may, nor loses what would have had room.
func TestShorten(t *testing.T) {
	for _, s := range []string{"", "abc", strings.Repeat("x", 50), strings.Repeat("東", 30), "e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301", "a東b東c東d東e東f東"} {
		for _, kind := range []column{keepEnds, keepStart} {
			for size := narrow; size < 60; size++ {
				got := shorten(s, size, kind)
				if n := letters(got); n > size || letters(s) <= size && got != s || letters(s) > size && n < size-2 {
					t.Errorf("%q in %d as %v: %q has %d", s, size, kind, got, n)
				}
			}
		}
	}
}

// TestPrintable: what breaks lines, turns their direction, or grows out of them is not there.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"a\nb\r\tc": "a·b··c", "\x1b[2J": "·[2J", "a\u0085b\u009bc": "a·b·c", "a\u2028b\u2029c": "a·b·c", "a\u202eb\u200bc": "a·b·c",
		"e\u0301": "e\u0301", "e" + strings.Repeat("\u0301", 7): "e" + strings.Repeat("\u0301", 4) + "···", "東京 é": "東京 é", "\xff": "\ufffd",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
