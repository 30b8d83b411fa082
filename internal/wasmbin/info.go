package wasmbin

import "fmt"

// Info is what a module says of itself.
type Info struct {
	Imports []Import
	Exports []Export
	Memory  Limits // in pages of 64 KiB
	Tables  []Limits
	Start   bool // it has a start function, which would run unasked

	Globals    int  // in the end: those of the rewriter too
	Segments   int  // of data and of elements
	TablesGrow bool // it has a table.grow

	Functions int // with a body
	CodeBytes int
	Largest   int // bytes of the largest body
	Features  []string
	Custom    []Section // custom sections, in the order of the file
	Producers string    // what the tools say of themselves, "" if nothing
	Lines     bool      // it carries DWARF line tables
}

// Section is a custom section: tools leave names and debugging information there.
type Section struct {
	Name  string
	Bytes int
}

// Import is something that the module wants.
type Import struct {
	Module, Name string
	Kind         Kind
	Type         string // of a function: "(i32 i32) -> (i32)"
}

// Export is something that the module offers.
type Export struct {
	Name string
	Kind Kind
	Type string // of a function
}

// Kind is what an import or export is.
type Kind byte

// The kinds, with the numbers of the binary format.
const (
	Func Kind = iota
	Table
	Memory
	Global
)

// Limits are the declared bounds of a memory or table.
type Limits struct {
	Min, Max uint64
	HasMax   bool
}

// clamped is the maximum that a table gets.
func (l Limits) clamped() uint64 {
	limit := max(l.Min, tableMax)
	if l.HasMax {
		limit = min(limit, max(l.Max, l.Min))
	}
	return limit
}

// TableEntries is how many entries the tables of an instance begin with, and how many more
// they can get.
func (i *Info) TableEntries() (first, more int64) {
	for _, t := range i.Tables {
		first += int64(t.Min)
		if i.TablesGrow {
			more += int64(t.clamped() - t.Min)
		}
	}
	return first, more
}

// Error says why a file is refused.
type Error struct {
	Section string // which part of the file
	Offset  int    // in bytes from the start of the file
	Reason  string
	Remedy  string
}

// Error gives place, reason and remedy on one line.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s at byte %d: %s", e.Section, e.Offset, e.Reason)
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}
