package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// live says whether w is a terminal that may be told what goes on.
func (a *app) live(w io.Writer) bool {
	f, ok := w.(*os.File)
	plain, _ := a.lookup("NO_COLOR")
	return ok && plain == "" && term.IsTerminal(int(f.Fd()))
}
