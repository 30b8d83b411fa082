package router

import "strings"

// Pattern is a checked pattern. The zero value matches nothing. Patterns that mean the
// same may be compared with ==.
type Pattern struct{ text string }

const (
	one  = "*"
	many = "**"
)

// ParsePattern checks and normalises s. The error is a [*SyntaxError].
func ParsePattern(s string) (Pattern, error) { return Limits{}.ParsePattern(s) }

// ParsePattern is the func of the same name under these limits.
func (l Limits) ParsePattern(s string) (Pattern, error) {
	deep := 0
	previous := ""
	err := l.scan("pattern", s, func(segment string, offset int) string {
		if segment == many && previous != many {
			deep++
		}
		previous = segment
		if deep > 2 {
			return "** may stand at most twice in a pattern"
		}
		return misplaced(segment)
	})
	if err != nil {
		return Pattern{}, err
	}
	return Pattern{normalise(s)}, nil
}

// misplaced explains a wildcard that is not a whole segment or not ours.
func misplaced(segment string) string {
	switch segment {
	case one, many:
		return ""
	case "#", ">":
		return segment + " is not a wildcard here; write ** for any number of segments"
	case "+":
		return "+ is not a wildcard here; write * for one segment"
	}
	if strings.Contains(segment, "*") {
		return "a wildcard must be a whole segment; write " + strings.Trim(segment, "*") + ".* for the topics below, or spell the segment out"
	}
	return ""
}

// normalise moves ** behind the * next to it and joins adjacent **.
func normalise(s string) string {
	if !strings.Contains(s, many) {
		return s
	}
	segments := strings.Split(s, ".")
	for i := 1; i < len(segments); {
		switch {
		case segments[i-1] == many && segments[i] == one:
			segments[i-1], segments[i] = one, many
			i = max(i-1, 1)
		case segments[i-1] == many && segments[i] == many:
			segments = append(segments[:i], segments[i+1:]...)
		default:
			i++
		}
	}
	return strings.Join(segments, ".")
}

// String returns the pattern in its normal form.
func (p Pattern) String() string { return p.text }

// Match says whether the pattern fits the topic, which must be valid. It does not
// allocate, and takes time in proportion to the product of both lengths at worst: on a
// mismatch only the last ** seen takes one segment more, which is enough because an
// earlier one could not reach anything that the later one cannot.
func (p Pattern) Match(topic string) bool {
	if p.text == "" || topic == "" || (topic[0] == '$' && p.text[0] == '*') {
		return false
	}
	pat, top := walk(p.text), walk(topic)
	var backPat, backTop walker
	back := false
	for {
		if pat.segment() == many {
			pat.next()
			backPat, backTop, back = pat, top, true
			continue
		}
		switch {
		case top.done() && pat.done():
			return true
		case !top.done() && !pat.done() && (pat.segment() == one || pat.segment() == top.segment()):
			pat.next()
			top.next()
			continue
		}
		if !back || backTop.done() {
			return false
		}
		backTop.next()
		pat, top = backPat, backTop
	}
}

// walker goes over the segments of a topic or pattern.
type walker struct {
	s          string
	start, end int // of the current segment; start > len(s): done
}

func walk(s string) walker {
	w := walker{s: s, end: -1}
	w.next()
	return w
}

func (w *walker) done() bool { return w.start > len(w.s) }

// segment returns the current segment; "" when done, which no segment is.
func (w *walker) segment() string {
	if w.done() {
		return ""
	}
	return w.s[w.start:w.end]
}

func (w *walker) next() {
	w.start = w.end + 1
	if w.start > len(w.s) {
		return
	}
	if i := strings.IndexByte(w.s[w.start:], '.'); i >= 0 {
		w.end = w.start + i
	} else {
		w.end = len(w.s)
	}
}
