package manifest

import (
	"path/filepath"
	"time"

	"github.com/avx-platform/avxrt/abi"
)

// CasesSuffix ends the names of files with cases.
const CasesSuffix = ".avx.toml"

// Cases is a file of cases for one module, NAME.avx.toml.
type Cases struct {
	File  string     // as it was named
	Dir   string     // absolute folder of the file
	Rules Subscriber // name, limits, grants and config; the rest is as in a manifest or empty
	// Module is the absolute path of the module's file.
	Module string
	Cases  []Case
}

// Case is one story: a state, events one after another, and what shall come of each.
type Case struct {
	Name   string
	Line   int
	Config map[string]string // over that of the file
	State  map[string]string // before the first event
	After  map[string]string // all that the state shall hold in the end; nil: it does not matter
	Events []CaseEvent
}

// CaseEvent is an event with what shall come of it. Zero fields of the event are filled in
// as in package trial.
type CaseEvent struct {
	Line        int
	Topic, Key  string
	Data        string
	DataFile    string // absolute; "": Data
	ContentType string
	ID, Source  string
	Kind        abi.Kind
	Version     uint64
	Attempt     uint32
	Time        time.Time
	Headers     map[string]string
	Want        Want
}

// Want is what shall come of an event. Ends and emits are always compared, the rest where it
// is given.
type Want struct {
	Ends   string // handled (default), retry, reject, skip, stop, trap or "did not start"
	Reason string // a part of it; "": any
	Emits  []WantEmit

	State   bool // Changes and Deletes are all that it changes
	Changes map[string]string
	Deletes []string

	Logs  []string // a part of each line, "level message"; nil: any lines
	Reply *string  // nil: any
	Fuel  int64    // at most; 0: any
}

// WantEmit is an emit or a timer; what is nil or empty does not matter, but for the topic.
type WantEmit struct {
	Topic       string
	Key         *string
	Data        *string // compared as JSON where both are
	ContentType *string
	Headers     map[string]string // there may be more
	Version     *uint64
	In          *time.Duration // how long a timer waits; nil: it is no timer
	Timer       *string        // a timer's name
	Cancel      bool           // no event: the timer of that name is cancelled
}

// LoadCases reads and checks a file of cases, and the manifest that it may name.
func LoadCases(path string) (*Cases, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	text, err := readFile(absolute)
	if err != nil {
		return nil, &Error{File: path, Reason: err.Error(), Hint: "name a file of cases, *" + CasesSuffix + ", or a folder that has some"}
	}
	return parseCases(text, path, filepath.Dir(absolute))
}
