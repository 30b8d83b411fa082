package router

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of topics and patterns unless [Limits] say otherwise. 255 bytes and 16 levels are
// what the strictest of the brokers that we looked at allow; deeper hierarchies are a sign
// of data in the topic.
const (
	MaxTopicBytes   = 255
	MaxSegments     = 16
	MaxSegmentBytes = 64
)

// maxLevels bounds what [Limits] may allow: a shape keeps one bit a segment in an uint32.
const maxLevels = 32

// Limits are those of topics and patterns where the usual ones do not fit. The zero value
// of a field is its usual limit; bytes of a topic are always [MaxTopicBytes] at most.
type Limits struct {
	Segments     int // default MaxSegments, at most 32; more counts as 32
	SegmentBytes int // default MaxSegmentBytes
}

func (l Limits) withDefaults() Limits {
	if l.Segments <= 0 {
		l.Segments = MaxSegments
	}
	if l.SegmentBytes <= 0 {
		l.SegmentBytes = MaxSegmentBytes
	}
	l.Segments = min(l.Segments, maxLevels)
	return l
}

// SyntaxError says what is wrong with a topic or pattern, and where.
type SyntaxError struct {
	Kind   string // "topic" or "pattern"
	Input  string
	Offset int // of the byte at which it goes wrong
	Reason string
}

// Error gives the reason with the place.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s %q: %s (at byte %d)", e.Kind, e.Input, e.Reason, e.Offset)
}

// CheckTopic returns a [*SyntaxError] unless s can be the topic of an event.
func CheckTopic(s string) error {
	if plainTopic(s) {
		return nil
	}
	return Limits{}.CheckTopic(s)
}

// CheckTopic is the func of the same name under these limits.
func (l Limits) CheckTopic(s string) error {
	return l.scan("topic", s, func(segment string, offset int) string {
		if i := strings.IndexByte(segment, '*'); i >= 0 {
			return "a topic names one thing; wildcards belong into patterns"
		}
		return ""
	})
}

// plainTopic says whether s is a valid topic of ASCII alone, which nearly all are, in a
// tenth of the time. False says nothing.
func plainTopic(s string) bool {
	if len(s) == 0 || len(s) > MaxTopicBytes {
		return false
	}
	start, levels := 0, 1
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			if i == start || i-start > MaxSegmentBytes {
				return false
			}
			start = i + 1
			levels++
		case c <= ' ' || c >= 0x7f || c == '*':
			return false
		}
	}
	return start < len(s) && len(s)-start <= MaxSegmentBytes && levels <= MaxSegments
}

// scan checks what topics and patterns have in common and calls check for each segment;
// a reason that it returns becomes the error.
func (l Limits) scan(kind, s string, check func(segment string, offset int) string) error {
	l = l.withDefaults()
	fail := func(offset int, reason string) error {
		return &SyntaxError{Kind: kind, Input: s, Offset: offset, Reason: reason}
	}
	switch {
	case s == "":
		return fail(0, "is empty")
	case len(s) > MaxTopicBytes:
		return fail(MaxTopicBytes, fmt.Sprintf("has %d bytes, at most %d are allowed", len(s), MaxTopicBytes))
	case !utf8.ValidString(s):
		return fail(invalidAt(s), "is not UTF-8")
	}
	if i := strings.IndexFunc(s, forbidden); i >= 0 {
		return fail(i, "control characters and white space are not allowed")
	}
	offset, levels := 0, 0
	for segment := range strings.SplitSeq(s, ".") {
		levels++
		switch {
		case segment == "":
			return fail(offset, "has an empty segment; segments are joined by single dots")
		case len(segment) > l.SegmentBytes:
			return fail(offset, fmt.Sprintf("a segment has %d bytes, at most %d are allowed", len(segment), l.SegmentBytes))
		case levels > l.Segments:
			return fail(offset, fmt.Sprintf("has more than %d segments", l.Segments))
		}
		if reason := check(segment, offset); reason != "" {
			return fail(offset, reason)
		}
		offset += len(segment) + 1
	}
	return nil
}

// invalidAt returns the offset of the first byte of s that is not UTF-8.
func invalidAt(s string) int {
	for i, r := range s {
		if _, size := utf8.DecodeRuneInString(s[i:]); r == utf8.RuneError && size == 1 {
			return i
		}
	}
	return len(s)
}

// forbidden also names the format characters that change what a terminal shows.
func forbidden(r rune) bool {
	return unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r)
}
