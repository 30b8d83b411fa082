package telemetry

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of one series.
const (
	maxSeriesName  = 100 // bytes, of a metric or a label
	maxLabels      = 10
	maxLabelValue  = 256 // bytes
	maxValueDigits = 40
)

// series is the name of a number of a guest: name, or name{label="value",…} with \\, \" and
// \n in values, as Prometheus writes it.
type series struct {
	name   string
	labels []label // ascending by name
}

type label struct{ name, value string }

// String spells the series in one way, whatever way the guest chose.
func (s series) String() string {
	var b strings.Builder
	b.WriteString(s.name)
	for _, l := range s.labels {
		b.WriteString("," + l.name + "=" + strconv.Quote(l.value))
	}
	return b.String()
}

// parseSeries reads the name of a series that a guest wrote.
func parseSeries(text string) (s series, ok bool) {
	name, rest, labelled := strings.Cut(text, "{")
	s.name = name
	if !validName(name) {
		return s, false
	}
	if !labelled {
		return s, true
	}
	for first := true; ; first = false {
		if rest == "}" {
			break
		}
		if !first {
			if rest, ok = strings.CutPrefix(rest, ","); !ok {
				return s, false
			}
		}
		var l label
		if l, rest, ok = parseLabel(rest); !ok || len(s.labels) == maxLabels {
			return s, false
		}
		s.labels = append(s.labels, l)
	}
	slices.SortFunc(s.labels, func(a, b label) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(s.labels); i++ {
		if s.labels[i].name == s.labels[i-1].name {
			return s, false
		}
	}
	return s, true
}

// parseLabel reads name="value" from the front of text.
func parseLabel(text string) (l label, rest string, ok bool) {
	l.name, rest, ok = strings.Cut(text, `="`)
	if !ok || !validName(l.name) || strings.HasPrefix(l.name, "__") || l.name == "subscriber" {
		return l, "", false
	}
	var value []byte
	for len(rest) > 0 && len(value) <= maxLabelValue {
		c := rest[0]
		rest = rest[1:]
		switch {
		case c == '"':
			l.value = string(value)
			return l, rest, utf8.ValidString(l.value) && len(value) <= maxLabelValue
		case c != '\\':
		case rest == "":
			return l, "", false
		default:
			if c = rest[0]; c == 'n' {
				c = '\n'
			} else if c != '"' && c != '\\' {
				return l, "", false
			}
			rest = rest[1:]
		}
		value = append(value, c)
	}
	return l, "", false
}

// validName says whether a name may be that of a metric or a label. Colons are Prometheus's own.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= maxSeriesName
}

// parseDecimal reads digits with at most one point among them and a minus in front: no
// exponents, infinities or other spellings, which no total needs.
func parseDecimal(s string) (float64, bool) {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	digits := func(s string) bool {
		return s != "" && strings.IndexFunc(s, func(c rune) bool { return c < '0' || c > '9' }) < 0
	}
	if len(s) > maxValueDigits || !digits(whole) || point && !digits(fraction) {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}
