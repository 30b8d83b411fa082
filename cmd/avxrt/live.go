package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// live says whether w is a terminal that may be told what goes on.
func (a *app) live(w io.Writer) bool {
	f := fileOf(w)
	plain, _ := a.lookup("NO_COLOR")
	return f != nil && plain == "" && term.IsTerminal(int(f.Fd()))
}

// fileOf returns the file that w writes to, nil if it is none.
func fileOf(w io.Writer) *os.File {
	if out, ok := w.(*dataOut); ok {
		w = out.w
	}
	f, _ := w.(*os.File)
	return f
}
