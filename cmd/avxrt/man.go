package main

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manPage is one file of section 1.
type manPage struct{ name, text string }

// manPages returns a page for root and for each verb below it. Pages carry no date, so that
// the same program makes the same bytes.
func manPages(root *cobra.Command) []manPage {
	pages := []manPage{{manName(root) + ".1", manText(root)}}
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			pages = append(pages, manPages(c)...)
		}
	}
	return pages
}

// manName is how a verb's page is called: avxrt-sub-ls.
func manName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func manText(c *cobra.Command) string {
	c.InitDefaultHelpFlag()
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %q 1 \"\" %q \"avxrt\"\n", strings.ToUpper(manName(c)), "avxrt "+version)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(manName(c)), roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(c.UseLine()))
	long := c.Long
	if long == "" {
		long = c.Short + "."
	}
	b.WriteString(".SH DESCRIPTION\n")
	for i, paragraph := range strings.Split(long, "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		b.WriteString(roff(paragraph) + "\n")
	}
	manVerbs(&b, c)
	manFlags(&b, "OPTIONS", c.NonInheritedFlags())
	if talks(c) {
		manFlags(&b, "COMMON OPTIONS", c.InheritedFlags())
	}
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(c.Example))
	}
	if !c.HasParent() {
		b.WriteString(".SH EXIT STATUS\n" + exitCodes + "\n" +
			".SH ENVIRONMENT\nAVXRT_SERVER is the address of the node. AVXRT_<SECTION>_<KEY> sets a key of the manifest. NO_COLOR is respected.\n")
	}
	var also []string
	if c.HasParent() {
		also = append(also, ".BR "+roff(manName(c.Parent()))+" (1)")
	}
	also = append(also, "avxrt errors CODE explains the codes of errors.")
	fmt.Fprintf(&b, ".SH SEE ALSO\n%s\n", strings.Join(also, "\n.br\n"))
	return b.String()
}

func manVerbs(b *strings.Builder, c *cobra.Command) {
	if !c.HasAvailableSubCommands() {
		return
	}
	b.WriteString(".SH VERBS\n")
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(sub.Name()), roff(sub.Short))
		}
	}
}

func manFlags(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	b.WriteString(".SH " + title + "\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" {
			name += " " + value
		}
		if d := f.DefValue; d != "" && d != "false" && d != "0" && d != "0s" && d != "[]" {
			usage += " (default " + d + ")"
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(name), roff(usage))
	})
}

// roff makes a text safe for the typesetter: what would be a request or an escape is itself.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`).Replace(s)
	var b strings.Builder
	for _, r := range s {
		if r > unicode.MaxASCII {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		} else {
			b.WriteRune(r)
		}
	}
	lines := strings.Split(b.String(), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
