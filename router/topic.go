package router

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of topics and patterns. 255 bytes and 16 levels are what the strictest of the
// brokers that we looked at allow; deeper hierarchies are a sign of data in the topic.
const (
	MaxTopicBytes   = 255
	MaxSegments     = 16
	MaxSegmentBytes = 64
)

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
	return scan("topic", s, func(segment string, offset int) string {
		if i := strings.IndexByte(segment, '*'); i >= 0 {
			return "a topic names one thing; wildcards belong into patterns"
		}
		return ""
	})
}

// scan checks what topics and patterns have in common and calls check for each segment;
// a reason that it returns becomes the error.
func scan(kind, s string, check func(segment string, offset int) string) error {
	fail := func(offset int, reason string) error {
		return &SyntaxError{Kind: kind, Input: s, Offset: offset, Reason: reason}
	}
	switch {
	case s == "":
		return fail(0, "is empty")
	case len(s) > MaxTopicBytes:
		return fail(MaxTopicBytes, fmt.Sprintf("has %d bytes, at most %d are allowed", len(s), MaxTopicBytes))
	case !utf8.ValidString(s):
		return fail(0, "is not UTF-8")
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
		case len(segment) > MaxSegmentBytes:
			return fail(offset, fmt.Sprintf("a segment has %d bytes, at most %d are allowed", len(segment), MaxSegmentBytes))
		case levels > MaxSegments:
			return fail(offset, fmt.Sprintf("has more than %d segments", MaxSegments))
		}
		if reason := check(segment, offset); reason != "" {
			return fail(offset, reason)
		}
		offset += len(segment) + 1
	}
	return nil
}

// forbidden also names the format characters that change what a terminal shows.
func forbidden(r rune) bool {
	return unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r)
}
