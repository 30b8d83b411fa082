package trial

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/avx-platform/avxrt/internal/sandbox"
)

// Report is an outcome for people and programs. Its JSON is what `avxrt call -o json` prints.
type Report struct {
	End         End            `json:"end"`
	Reason      string         `json:"reason,omitempty"`
	Code        int            `json:"code,omitempty"` // of a failure
	Trap        *TrapReport    `json:"trap,omitempty"`
	Again       bool           `json:"again,omitempty"` // see Outcome
	Emits       []EmitReport   `json:"emits"`
	Changes     []ChangeReport `json:"changes"`
	Logs        []LogReport    `json:"logs"`
	Dropped     int            `json:"dropped_log_lines,omitempty"`
	Reply       *string        `json:"reply,omitempty"`
	Fuel        int64          `json:"fuel"`
	MemoryBytes int64          `json:"memory_bytes"`
	TookSeconds float64        `json:"took_seconds"`
}

// TrapReport is what a trap was and where.
type TrapReport struct {
	Kind  sandbox.TrapKind `json:"kind"`
	Where string           `json:"where,omitempty"` // function and source line as far as the module tells
}

// EmitReport is an event that was emitted, or a timer.
type EmitReport struct {
	Topic       string            `json:"topic,omitempty"`
	Key         string            `json:"key,omitempty"`
	ContentType string            `json:"content_type,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Data        string            `json:"data"`              // see Text
	Version     uint64            `json:"version,omitempty"` // that the event must become
	Due         string            `json:"due,omitempty"`     // of a timer, RFC 3339
	Timer       string            `json:"timer,omitempty"`   // its name
	Cancel      bool              `json:"cancel,omitempty"`  // the timer of that name shall not fire
}

// ChangeReport is a key of the state before and after; nil: it is not there.
type ChangeReport struct {
	Key    string  `json:"key"`
	Before *string `json:"before"`
	After  *string `json:"after"`
}

// LogReport is a line that the guest wrote.
type LogReport struct {
	Level   string `json:"level"`
	Message string `json:"message"`
}

// Levels are the names of the levels of log lines, from 0.
var Levels = [...]string{"trace", "debug", "info", "warn", "error"}

// Report returns the outcome in the form that is shown.
func (o *Outcome) Report() Report {
	r := Report{
		End: o.End, Reason: o.Reason, Again: o.Again, Dropped: o.Dropped, Fuel: o.Fuel, MemoryBytes: o.Memory,
		TookSeconds: o.Took.Round(time.Microsecond).Seconds(),
		Emits:       []EmitReport{}, Changes: []ChangeReport{}, Logs: []LogReport{},
	}
	if o.Failure != nil {
		r.Code = int(o.Failure.Code)
	}
	if o.Trap != nil {
		r.Trap = &TrapReport{o.Trap.Kind, o.Trap.Where}
	}
	if o.Reply != nil {
		r.Reply = textOf(o.Reply, true)
	}
	for i := range o.Emits {
		r.Emits = append(r.Emits, emitReport(&o.Emits[i]))
	}
	for _, w := range o.Writes {
		r.Changes = append(r.Changes, ChangeReport{Text(w.Key), textOf(w.Before, w.Existed), textOf(w.Value, !w.Delete)})
	}
	for _, l := range o.Logs {
		r.Logs = append(r.Logs, LogReport{Levels[l.Level], l.Message})
	}
	return r
}

func textOf(b []byte, there bool) *string {
	if !there {
		return nil
	}
	text := Text(b)
	return &text
}

func emitReport(e *sandbox.Emit) EmitReport {
	ev := &e.Event
	r := EmitReport{
		Topic: ev.Topic, Key: ev.Key, ContentType: ev.ContentType, Data: Text(ev.Data), Version: uint64(ev.Version), Timer: e.Timer, Cancel: e.Cancel,
	}
	if e.Due != 0 {
		r.Due = time.Unix(0, e.Due).UTC().Format(time.RFC3339Nano)
	}
	for k, v := range ev.Headers.All() {
		if r.Headers == nil {
			r.Headers = map[string]string{}
		}
		if _, ok := r.Headers[k]; !ok { // the first one counts
			r.Headers[k] = v
		}
	}
	return r
}

// base64Prefix marks bytes that are no text, as in what avxrt state prints.
const base64Prefix = "base64:"

// Text returns bytes as a string: as they are if they are UTF-8, else "base64:" and their
// base64; so are those that begin with base64: themselves. [Bytes] is the way back.
func Text(b []byte) string {
	if utf8.Valid(b) && !strings.HasPrefix(string(b), base64Prefix) {
		return string(b)
	}
	return base64Prefix + base64.StdEncoding.EncodeToString(b)
}

// Bytes returns what [Text] was given.
func Bytes(text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, base64Prefix)
	if !ok {
		return []byte(text), nil
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("%q: base64 must follow base64:", text)
	}
	return b, nil
}

// ParseState reads a state from JSON: an object of keys and values, strings as [Text] makes
// them, or the list that `avxrt state -o json` prints.
func ParseState(text []byte) (map[string][]byte, error) {
	var rows []struct {
		Key, Value  string
		ValueBase64 []byte `json:"value_base64"`
	}
	var object map[string]string
	out := map[string][]byte{}
	if err := json.Unmarshal(text, &rows); err == nil {
		for _, row := range rows {
			if out[row.Key] = []byte(row.Value); row.ValueBase64 != nil {
				out[row.Key] = row.ValueBase64
			}
		}
		return out, nil
	}
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, fmt.Errorf(`a state is {"key":"value",…} with strings, or what avxrt state -o json prints: %v`, err)
	}
	for key, value := range object {
		k, err := Bytes(key)
		if err != nil {
			return nil, err
		}
		if out[string(k)], err = Bytes(value); err != nil {
			return nil, err
		}
	}
	return out, nil
}
