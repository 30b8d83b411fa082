package manifest

import (
	"errors"
	"fmt"
	"strings"
)

// Error is one thing that is wrong with a manifest.
type Error struct {
	File         string // "" for a manifest without file
	Line, Column int    // from 1; 0 when the error has no place in the text
	Key          string
	Reason       string
	Hint         string // what to do, "" if the reason says it
}

// Error gives file:line:column, key, reason and hint on one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.File == "" {
		b.WriteString("manifest")
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Reason)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// report collects errors.
type report struct {
	file string
	errs []error
}

func (r *report) add(at position, key, hint, format string, args ...any) {
	r.errs = append(r.errs, &Error{
		File: r.file, Line: at.line, Column: at.column, Key: key, Reason: fmt.Sprintf(format, args...), Hint: hint,
	})
}

func (r *report) err() error { return errors.Join(r.errs...) }
