package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
)

// outputFlag adds -o to a verb that lists.
func (a *app) outputFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&a.output, "output", "o", "table", "table, json or jsonl")
}

// list prints items: as a table of rows, as one JSON list, or as a line of JSON each.
func list[T any](a *app, items []T, header string, row func(T) []string) error {
	switch a.output {
	case "table":
		w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, strings.ReplaceAll(header, " ", "\t"))
		for _, item := range items {
			cells := row(item)
			for i := range cells {
				cells[i] = printable(cells[i])
			}
			fmt.Fprintln(w, strings.Join(cells, "\t"))
		}
		return w.Flush()
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

// printable keeps what events and guests say from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '·'
		}
		return r
	}, s)
}
