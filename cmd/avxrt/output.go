package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"unicode"

	"github.com/spf13/cobra"
)

// dataOut is the standard output. It keeps the first error of a write, so that no verb ends well
// whose data are not all there: on a full disk, say. It is safe for concurrent use if w is.
type dataOut struct {
	w    io.Writer
	lost atomic.Pointer[error]
}

// Write implements io.Writer.
func (d *dataOut) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	if err != nil {
		d.lost.CompareAndSwap(nil, &err)
	}
	return n, err
}

// err returns the first error of a write.
func (d *dataOut) err() error {
	if err := d.lost.Load(); err != nil {
		return *err
	}
	return nil
}

// outputFlag adds -o to a verb that lists.
func (a *app) outputFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&a.output, "output", "o", "table", "table, json or jsonl")
}

// list prints items: as a table of rows, as one JSON list, or as a line of JSON each. A table on
// a terminal is shortened to its width; everything else has all of every item.
func list[T any](a *app, items []T, header string, row func(T) []string) error {
	switch a.output {
	case "table":
		rows := [][]string{strings.Fields(header)}
		var kinds []column
		for _, title := range rows[0] {
			kinds = append(kinds, columns[title])
		}
		for _, item := range items {
			cells := row(item)
			for i := range cells {
				cells[i] = printable(cells[i])
			}
			rows = append(rows, cells)
		}
		return writeTable(a.out, rows, kinds, room(a.out))
	case "json":
		if items == nil {
			items = []T{}
		}
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		return enc.Encode(items)
	case "jsonl":
		enc := json.NewEncoder(a.out)
		for _, item := range items {
			if err := enc.Encode(item); err != nil {
				return err
			}
		}
		return nil
	}
	return unknownOutput(a.output, "table", "json", "jsonl")
}

// none says that a table is empty, so that nobody takes it for one that did not come.
func (a *app) none(number int, text string) {
	if number == 0 && a.output == "table" {
		fmt.Fprintln(a.err, text)
	}
}

// counted writes a number of things: 1 event, 2 events.
func counted[N int | int64 | uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// maxMarks is how many marks a letter may carry: more than any script needs, and few enough that
// they stay on its line.
const maxMarks = 4

// printable keeps what events and guests say from steering a terminal, and from breaking or
// forging lines.
func printable(s string) string {
	marks := 0
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Mn, unicode.Me) {
			marks++
		} else {
			marks = 0
		}
		if marks > maxMarks || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return '·'
		}
		return r
	}, s)
}
