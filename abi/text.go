package abi

import "unicode/utf8"

// maxHeaderName bounds the name of one header.
const maxHeaderName = 64

// hostAttributes are CloudEvents' own names: a header that had one of them would stand beside
// the attribute wherever the event is written as JSON, and who reads that takes either.
var hostAttributes = map[string]bool{
	"specversion": true, "id": true, "source": true, "type": true, "subject": true, "time": true, "datacontenttype": true,
	"data": true, "sequence": true, "recordedtime": true,
}

// CheckText says which part of e cannot be written in every form that events have (frame, JSON,
// HTTP headers), and why; "" if none: key, id, source and content type must pass [TextProblem],
// as must the headers' values, and their names [HeaderNameProblem], each there once. The topic
// is for package router to check.
func (e *Event) CheckText() (field, reason string) {
	for _, part := range [...]struct{ field, value string }{{"key", e.Key}, {"id", e.ID}, {"source", e.Source}, {"content type", e.ContentType}} {
		if reason := TextProblem(part.value); reason != "" {
			return part.field, reason
		}
	}
	seen := map[string]bool{}
	for name, value := range e.Headers.All() {
		if reason := HeaderNameProblem(name); reason != "" {
			return "header", reason
		}
		if reason := TextProblem(value); reason != "" {
			return name, reason
		}
		if seen[name] {
			return name, "is there twice"
		}
		seen[name] = true
	}
	return "", ""
}

// TextProblem says what keeps s from being the value of an attribute: "is not UTF-8" or "has a
// control character"; "" if nothing does.
func TextProblem(s string) string {
	plain := true
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return "has a control character"
		}
		plain = plain && s[i] < utf8.RuneSelf
	}
	if plain {
		return ""
	}
	if !utf8.ValidString(s) {
		return "is not UTF-8"
	}
	for _, r := range s {
		if r >= 0x80 && r < 0xa0 {
			return "has a control character"
		}
	}
	return ""
}

// HeaderNameProblem says what keeps name from being that of a header, "" if nothing does.
func HeaderNameProblem(name string) string {
	if name == "" || len(name) > maxHeaderName {
		return "an attribute name has 1 to 64 characters"
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "an attribute name is made of a-z and 0-9"
		}
	}
	if hostAttributes[name] {
		return "is an attribute of every event and cannot be one of its headers"
	}
	return ""
}
