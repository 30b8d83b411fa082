package main

import (
	"bufio"
	"io"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// column is how a column of a table may be shortened where a terminal has no room for it.
type column int

const (
	keepWhole column = iota // numbers, times, and words of ours: a part of them would mislead
	keepEnds                // names, which the beginning and the end tell apart
	keepStart               // texts
)

// columns are those that hold what events, guests and manifests say, which may be long.
var columns = map[string]column{
	"SUBSCRIBER": keepEnds, "NAME": keepEnds, "TOPIC": keepEnds, "KEY": keepEnds, "ID": keepEnds, "MODULE": keepEnds,
	"TOPICS": keepStart, "PATTERNS": keepStart, "PATTERN": keepStart, "VALUE": keepStart, "MESSAGE": keepStart, "REASON": keepStart,
}

const (
	gap      = 2  // between columns
	narrow   = 8  // no column is made narrower
	farthest = 80 // where nothing is shortened: a wider cell juts out, and does not push all others so far
)

// room is how many letters a line of w has; 0 if w is no terminal or does not say.
func room(w io.Writer) int {
	f := fileOf(w)
	if f == nil {
		return 0
	}
	wide, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return wide
}

// writeTable sets rows in columns of as many kinds. With room lines are shortened to so many
// letters, as far as their columns may be; with 0 everything is kept.
func writeTable(to io.Writer, rows [][]string, kinds []column, room int) error {
	widths := make([]int, len(kinds))
	for _, row := range rows {
		for i, cell := range row {
			if n := letters(cell); room > 0 || n <= farthest {
				widths[i] = max(widths[i], n)
			}
		}
	}
	if room > 0 {
		fit(widths, kinds, room)
	}
	w := bufio.NewWriter(to)
	for _, row := range rows {
		w.WriteString(line(row, widths, kinds, room > 0)) // Flush returns what went wrong
		w.WriteByte('\n')
	}
	return w.Flush()
}

// line sets the cells of one row, which end up as wide as the columns but for the last.
func line(row []string, widths []int, kinds []column, cut bool) string {
	var b strings.Builder
	for i, cell := range row {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", gap))
		}
		if cut && kinds[i] != keepWhole {
			cell = shorten(cell, widths[i], kinds[i])
		}
		b.WriteString(cell)
		if i < len(row)-1 {
			b.WriteString(strings.Repeat(" ", max(0, widths[i]-letters(cell))))
		}
	}
	return b.String()
}

// inRoom shortens cells on a terminal, so that a line has room for them and so many letters beside.
func (a *app) inRoom(kind column, beside int, cells ...string) []string {
	wide := room(a.out)
	if wide == 0 {
		return cells
	}
	var widths []int
	var kinds []column
	for _, cell := range cells {
		widths, kinds = append(widths, letters(cell)), append(kinds, kind)
	}
	fit(widths, kinds, wide-beside+gap*(len(cells)-1)) // the gaps are among what is beside
	for i := range cells {
		cells[i] = shorten(cells[i], widths[i], kind)
	}
	return cells
}

// fit makes the widest columns that may be shortened narrower, all of them equally, until a line
// has room. Where it cannot have that, it has room on as few lines of the terminal as it needs.
func fit(widths []int, kinds []column, room int) {
	least := gap * (len(widths) - 1)
	for i, n := range widths {
		if kinds[i] != keepWhole {
			n = min(n, narrow)
		}
		least += n
	}
	room = max(room, 1) // what stands beside may need more than a line
	room *= max(1, (least+room-1)/room)
	for {
		total, widest := gap*(len(widths)-1), narrow
		for i, n := range widths {
			total += n
			if kinds[i] != keepWhole {
				widest = max(widest, n)
			}
		}
		if total <= room || widest == narrow {
			return
		}
		next, same := narrow, 0 // the second widest, and how many are the widest
		for i, n := range widths {
			switch {
			case kinds[i] == keepWhole:
			case n == widest:
				same++
			case n > next:
				next = n
			}
		}
		next = max(next, widest-(total-room+same-1)/same)
		for i, n := range widths {
			if kinds[i] != keepWhole && n == widest {
				widths[i] = next
			}
		}
	}
}

// letters is how many columns of a terminal a text takes.
func letters(s string) (n int) {
	for _, r := range s {
		n += wide(r)
	}
	return n
}

// wide is how many columns of a terminal a letter takes.
func wide(r rune) int {
	if r < 0x300 {
		return 1 // most are; nothing below combines
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// shorten puts … in the place of what does not fit into so many columns of a terminal.
func shorten(s string, size int, kind column) string {
	if letters(s) <= size {
		return s
	}
	size-- // for the …
	tail := ""
	if kind == keepEnds {
		runes := []rune(s)
		i, n := len(runes), 0
		for i > 0 && n+wide(runes[i-1]) <= size/2 {
			i--
			n += wide(runes[i])
		}
		tail, size = string(runes[i:]), size-n
	}
	n := 0
	for i, r := range s {
		if n += wide(r); n > size {
			return s[:i] + "…" + tail
		}
	}
	return s
}
