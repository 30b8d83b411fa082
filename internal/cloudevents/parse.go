package cloudevents

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/avx-platform/avxrt/abi"
)

// Content types of the JSON format.
const (
	TypeJSON  = "application/cloudevents+json"
	TypeBatch = "application/cloudevents-batch+json"
)

// Error says which attribute of which event is wrong.
type Error struct {
	Index     int // in the batch, from 0
	Attribute string
	Reason    string
}

// Error gives attribute and reason.
func (e *Error) Error() string {
	if e.Attribute == "" {
		return e.Reason
	}
	return e.Attribute + ": " + e.Reason
}

func wrong(attribute, format string, args ...any) error {
	return &Error{Attribute: attribute, Reason: fmt.Sprintf(format, args...)}
}

// ParseJSON reads one event in structured mode. The event borrows from b. Time 0 means
// that there was none.
func ParseJSON(b []byte) (abi.Event, error) {
	var ev abi.Event
	if err := checkBody(b); err != nil {
		return ev, err
	}
	p := jsonParser{body: b, dec: json.NewDecoder(bytes.NewReader(b)), ev: &ev}
	err := p.event()
	if err == nil {
		if _, more := p.dec.Token(); more == nil {
			err = wrong("", "there is something behind the event; send several events as a batch")
		}
	}
	return ev, err
}

// ParseBatch reads a JSON list of events. The error's Index says which one is wrong.
func ParseBatch(b []byte) ([]abi.Event, error) {
	if err := checkBody(b); err != nil {
		return nil, err
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, wrong("", "the body is not a JSON list: %v", err)
	}
	if raw == nil { // which null gives
		return nil, wrong("", "the body is not a JSON list")
	}
	events := make([]abi.Event, len(raw))
	for i := range raw {
		p := jsonParser{body: raw[i], dec: json.NewDecoder(bytes.NewReader(raw[i])), ev: &events[i]}
		if err := p.event(); err != nil {
			var e *Error
			if errors.As(err, &e) {
				e.Index = i
			}
			return nil, err
		}
	}
	return events, nil
}

// maxDepth bounds nesting: deeper text is an attack on those who read it.
const maxDepth = 64

// checkBody looks for what the decoder would let pass. It reads each wrong byte as U+FFFD, so
// that two ids became one, and the second event a duplicate of the first.
func checkBody(b []byte) error {
	if !utf8.Valid(b) {
		return wrong("", "the body is not UTF-8, as JSON must be; bytes that are no text go into data_base64")
	}
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return wrong("", "JSON nested deeper than %d", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// jsonParser reads the attributes of one event in the order in which they come.
type jsonParser struct {
	body       []byte // what dec reads
	dec        *json.Decoder
	ev         *abi.Event
	version    string
	data       json.RawMessage
	dataBase64 *string
	seen       map[string]bool
}

func (p *jsonParser) event() error {
	if t, err := p.dec.Token(); err != nil || t != json.Delim('{') {
		return wrong("", "an event is a JSON object")
	}
	p.seen = map[string]bool{}
	for p.dec.More() {
		t, err := p.dec.Token()
		if err != nil {
			return wrong("", "malformed JSON: %v", err)
		}
		name := t.(string) // the decoder gives keys as strings
		if p.seen[name] {
			return wrong(name, "is there twice")
		}
		p.seen[name] = true
		if err := p.attribute(name); err != nil {
			return err
		}
	}
	if _, err := p.dec.Token(); err != nil {
		return wrong("", "malformed JSON: %v", err)
	}
	return p.finish()
}

func (p *jsonParser) attribute(name string) error {
	if name == "data" {
		if err := p.dec.Decode(&p.data); err != nil {
			return wrong("data", "malformed JSON: %v", err)
		}
		return nil
	}
	var value any
	p.dec.UseNumber()
	start := p.dec.InputOffset()
	if err := p.dec.Decode(&value); err != nil {
		return wrong(name, "malformed JSON: %v", err)
	}
	if value == nil {
		return nil // null means absent
	}
	text, ok := plainText(value)
	if !ok {
		return wrong(name, "must be a string, a number or a boolean; put structured values into data")
	}
	if hasHalf(text, p.body[start:p.dec.InputOffset()]) {
		return wrong(name, halfCharacter)
	}
	if name == "data_base64" {
		p.dataBase64 = &text
		return nil
	}
	if name == "specversion" {
		p.version = text
		return nil
	}
	return setAttribute(p.ev, name, text)
}

const halfCharacter = "has one half of a surrogate pair, which stands for no character"

// hasHalf says whether raw, which was read as text, has an escape like \ud800 without its other
// half. The decoder reads that as U+FFFD too.
func hasHalf(text string, raw []byte) bool {
	if !strings.ContainsRune(text, unicode.ReplacementChar) {
		return false
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		first := escaped(raw[i:])
		if !utf16.IsSurrogate(first) {
			continue
		}
		if len(raw) < i+6 || raw[i+5] != '\\' || utf16.DecodeRune(first, escaped(raw[i+6:])) == unicode.ReplacementChar {
			return true
		}
		i += 10 // behind both
	}
	return false
}

// escaped reads u and four hexadecimal digits; 0 is anything else.
func escaped(b []byte) rune {
	if len(b) < 5 || b[0] != 'u' {
		return 0
	}
	n, _ := strconv.ParseUint(string(b[1:5]), 16, 16) // the decoder has seen it
	return rune(n)
}

func plainText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

func (p *jsonParser) finish() error {
	ev := p.ev
	if p.dataBase64 != nil {
		if p.data != nil {
			return wrong("data_base64", "stands beside data; only one of them may be there")
		}
		raw, err := base64.StdEncoding.DecodeString(*p.dataBase64)
		if err != nil {
			return wrong("data_base64", "is not base64: %v", err)
		}
		ev.Data = raw
	} else {
		ev.Data = p.data
		if isText(ev.ContentType) && len(p.data) > 0 && p.data[0] == '"' {
			var s string
			if err := json.Unmarshal(p.data, &s); err != nil {
				return wrong("data", "malformed JSON: %v", err)
			}
			if hasHalf(s, p.data) {
				return wrong("data", halfCharacter)
			}
			ev.Data = []byte(s)
		}
	}
	return check(ev, p.version)
}

// check looks for what every event must have.
func check(ev *abi.Event, version string) error {
	switch {
	case version == "":
		return wrong("specversion", `is missing; write "1.0"`)
	case version != "1.0":
		return wrong("specversion", `is %q; this node speaks "1.0"`, version)
	case ev.ID == "":
		return wrong("id", "is missing or empty")
	case ev.Source == "":
		return wrong("source", "is missing or empty")
	case ev.Topic == "":
		return wrong("type", "is missing or empty; it is the topic")
	}
	return nil
}

// setAttribute stores one context attribute in the event.
func setAttribute(ev *abi.Event, name, value string) error {
	if problem := abi.TextProblem(value); problem != "" {
		return wrong(name, "%s", problem)
	}
	switch name {
	case "id":
		ev.ID = value
	case "source":
		ev.Source = value
	case "type":
		ev.Topic = value
	case "subject":
		ev.Key = value
	case "datacontenttype":
		ev.ContentType = value
	case "time":
		t, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return wrong("time", "%q is no RFC 3339 time", value)
		}
		if t.Year() < 1678 || t.Year() > 2261 {
			return wrong("time", "%q is outside of the years 1678 to 2261", value)
		}
		ev.Time = t.UnixNano()
	case "sequence", "recordedtime":
		// the log that stores the event gives its own
	default:
		if problem := abi.HeaderNameProblem(name); problem != "" {
			return wrong(name, "%s", problem)
		}
		headers, err := ev.Headers.Append(name, value)
		if err != nil {
			return wrong(name, "is too long")
		}
		ev.Headers = headers
	}
	return nil
}
