package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is how wide help is set; wider terminals are not easier to read.
const helpWidth = 100

// shelf is a part of the list of verbs, by what people want to do.
type shelf struct{ title, verbs string }

// shelves hold every verb of the program once, in the order in which people meet them. What is
// on none comes last.
var shelves = []shelf{
	{"Write a subscriber", "new dev build call test inspect"},
	{"Run a node", "demo run lint doctor clock"},
	{"Events", "pub tail stream topic trace redact"},
	{"Subscribers", "sub state dlq shadow deploy rollback"},
	{"The store", "backup restore verify fork export import"},
	{"This program", "help errors version completion generate"},
}

// alone are the verbs that talk to no node, so that --server means nothing to them.
const alone = " build call completion demo dev errors export fork generate help import inspect lint new restore run test verify version "

// talks says whether a verb asks a node.
func talks(cmd *cobra.Command) bool {
	for ; cmd.HasParent(); cmd = cmd.Parent() {
		if strings.Contains(alone, " "+cmd.Name()+" ") && !cmd.Parent().HasParent() {
			return false
		}
	}
	return true
}

// help prints what a verb does, then how it is called. Help about a verb that is not there is a
// wrong call, not help about the one above it.
func (a *app) help(cmd *cobra.Command, _ []string) {
	if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
		a.wrong = knownVerb(cmd, words)
		return
	}
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "%s\n\n", reflow(text, helpWidth))
	usage(w, cmd)
}

// usage prints how a verb is called: lines, examples, verbs below it, flags.
func usage(w io.Writer, cmd *cobra.Command) {
	fmt.Fprintln(w, "Usage:")
	if cmd.HasAvailableSubCommands() {
		if !strings.HasSuffix(cmd.Use, cmd.Name()) || cmd.HasExample() {
			fmt.Fprintf(w, "  %s\n", strings.TrimSuffix(cmd.UseLine(), " [flags]"))
		}
		fmt.Fprintf(w, "  %s VERB\n", cmd.CommandPath())
	} else {
		fmt.Fprintf(w, "  %s\n", cmd.UseLine())
	}
	if cmd.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
	verbList(w, cmd)
	flagList(w, "Flags", cmd.LocalFlags())
	if talks(cmd) {
		flagList(w, "For every verb that asks a node", cmd.InheritedFlags())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\nMore about one of them: %s VERB --help\n", cmd.CommandPath())
	}
	if !cmd.HasParent() {
		fmt.Fprintf(w, "Exit codes: %s\n", exitCodes)
	}
}

// verbList prints the verbs below one, those of the program by shelves.
func verbList(w io.Writer, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	width, rest := 0, map[string]*cobra.Command{}
	var order []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() || c.Name() == "help" {
			width, rest[c.Name()], order = max(width, len(c.Name())), c, append(order, c.Name())
		}
	}
	put := func(title string, names []string) {
		for _, name := range names {
			c := rest[name]
			if c == nil {
				continue
			}
			if title != "" {
				fmt.Fprintf(w, "\n%s:\n", title)
				title = ""
			}
			fmt.Fprintf(w, "  %-*s  %s\n", width, name, c.Short)
			delete(rest, name)
		}
	}
	if !cmd.HasParent() {
		for _, s := range shelves {
			put(s.title, strings.Fields(s.verbs))
		}
	}
	put("Verbs", order)
}

func flagList(w io.Writer, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(w, "\n%s:\n%s", title, flags.FlagUsagesWrapped(helpWidth))
	}
}

// reflow sets the paragraphs of a text anew, with lines of at most so many letters.
func reflow(text string, width int) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		var b strings.Builder
		column := 0
		for _, word := range strings.Fields(p) {
			n := len([]rune(word))
			switch {
			case column == 0:
			case column+1+n > width:
				b.WriteByte('\n')
				column = 0
			default:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += n
		}
		paragraphs[i] = b.String()
	}
	return strings.Join(paragraphs, "\n\n")
}
