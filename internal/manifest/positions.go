package manifest

import (
	"errors"
	"fmt"
	"strings"
)

// Bounds of the text. The TOML library's time and memory grow with the square of nesting
// and of dots; honest manifests come nowhere near.
const (
	maxBytes   = 256 << 10
	maxNesting = 16
	maxDots    = 16
	maxKeys    = 20_000
)

// position is a place in the text, from 1.
type position struct{ line, column int }

// place is one key of the text: its path, with the index of each [[…]] table, and where
// it stands.
type place struct {
	path  string // subscriber[1].limits.fuel
	known string // the path without indices: subscriber.limits.fuel
	at    position
}

// errBound reports a text beyond the bounds.
type errBound struct {
	at     position
	reason string
}

// Error returns the reason.
func (e *errBound) Error() string { return e.reason }

// errSyntax ends the scan where the text stops to be TOML; the library says it better.
var errSyntax = errors.New("not TOML")

// scanner finds the keys of a TOML text and checks its bounds. It understands just enough
// of TOML for that: comments, strings, brackets and keys.
type scanner struct {
	s      string
	at     int
	line   int
	start  int // of the current line
	places []place
	tables map[string]int // how many [[…]] of each path were seen
	path   string         // of the table that the next key belongs to
	known  string
}

// scanPlaces returns every key of text. An [*errBound] means that the text must not be parsed.
func scanPlaces(text string) ([]place, error) {
	if len(text) > maxBytes {
		return nil, &errBound{position{1, 1}, fmt.Sprintf("has %d bytes, at most %d are allowed", len(text), maxBytes)}
	}
	sc := &scanner{s: text, line: 1, tables: map[string]int{}}
	for {
		sc.space(true)
		if sc.at == len(sc.s) {
			return sc.places, nil
		}
		if err := sc.statement(); err != nil {
			if errors.Is(err, errSyntax) {
				err = nil
			}
			return sc.places, err
		}
	}
}

func (sc *scanner) position() position { return position{sc.line, sc.at - sc.start + 1} }

func (sc *scanner) peek() byte {
	if sc.at < len(sc.s) {
		return sc.s[sc.at]
	}
	return 0
}

// space skips blanks and, if asked, newlines and comments.
func (sc *scanner) space(lines bool) {
	for sc.at < len(sc.s) {
		switch c := sc.s[sc.at]; {
		case c == ' ' || c == '\t' || c == '\r':
			sc.at++
		case lines && c == '\n':
			sc.newline()
		case lines && c == '#':
			for sc.at < len(sc.s) && sc.s[sc.at] != '\n' {
				sc.at++
			}
		default:
			return
		}
	}
}

func (sc *scanner) newline() {
	sc.at++
	sc.line++
	sc.start = sc.at
}

// statement reads one table header or one key with its value.
func (sc *scanner) statement() error {
	if sc.peek() == '[' {
		return sc.header()
	}
	return sc.keyValue(sc.path, sc.known, 0)
}

func (sc *scanner) header() error {
	sc.at++
	list := sc.peek() == '['
	if list {
		sc.at++
	}
	sc.space(false)
	at := sc.position()
	key, err := sc.key()
	if err != nil {
		return err
	}
	for range 1 + btoi(list) {
		sc.space(false)
		if sc.peek() != ']' {
			return errSyntax
		}
		sc.at++
	}
	sc.path, sc.known = sc.indexed(key, list), key
	return sc.record(sc.path, sc.known, at)
}

// indexed returns the path of a header, in which the tables around it have the index of the
// last one of them.
func (sc *scanner) indexed(key string, list bool) string {
	path, rest, more := "", key, true
	for more {
		var part string
		part, rest, more = strings.Cut(rest, ".")
		path = join(path, part)
		n := sc.tables[path]
		switch {
		case !more && list:
			sc.tables[path]++
			path = fmt.Sprintf("%s[%d]", path, n)
		case n > 0:
			path = fmt.Sprintf("%s[%d]", path, n-1)
		}
	}
	return path
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (sc *scanner) record(path, known string, at position) error {
	if len(sc.places) == maxKeys {
		return &errBound{at, fmt.Sprintf("more than %d keys", maxKeys)}
	}
	sc.places = append(sc.places, place{path, known, at})
	return nil
}

// keyValue reads key = value.
func (sc *scanner) keyValue(path, known string, depth int) error {
	at := sc.position()
	key, err := sc.key()
	if err != nil {
		return err
	}
	path, known = join(path, key), join(known, key)
	if err := sc.record(path, known, at); err != nil {
		return err
	}
	sc.space(false)
	if sc.peek() != '=' {
		return errSyntax
	}
	sc.at++
	sc.space(false)
	return sc.value(path, known, depth)
}

func join(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + "." + key
}

// key reads a dotted key and joins its parts by dots.
func (sc *scanner) key() (string, error) {
	at := sc.position()
	var parts []string
	for {
		sc.space(false)
		part, err := sc.keyPart()
		if err != nil {
			return "", err
		}
		if parts = append(parts, part); len(parts) > maxDots+1 {
			return "", &errBound{at, fmt.Sprintf("a key with more than %d dots", maxDots)}
		}
		sc.space(false)
		if sc.peek() != '.' {
			return strings.Join(parts, "."), nil
		}
		sc.at++
	}
}

func (sc *scanner) keyPart() (string, error) {
	start := sc.at
	if c := sc.peek(); c == '"' || c == '\'' {
		if err := sc.quoted(c); err != nil {
			return "", err
		}
		return sc.s[start+1 : sc.at-1], nil
	}
	for sc.at < len(sc.s) && bare(sc.s[sc.at]) {
		sc.at++
	}
	if sc.at == start {
		return "", errSyntax
	}
	return sc.s[start:sc.at], nil
}

func bare(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// quoted skips a string on one line.
func (sc *scanner) quoted(quote byte) error {
	for sc.at++; sc.at < len(sc.s) && sc.s[sc.at] != '\n'; sc.at++ {
		switch sc.s[sc.at] {
		case quote:
			sc.at++
			return nil
		case '\\':
			if quote == '"' {
				sc.at++
			}
		}
	}
	return errSyntax
}

// multiline skips a string between triple quotes.
func (sc *scanner) multiline(quotes string) error {
	for sc.at += 3; sc.at < len(sc.s); {
		switch c := sc.s[sc.at]; {
		case strings.HasPrefix(sc.s[sc.at:], quotes):
			sc.at += 3
			for sc.peek() == quotes[0] { // up to two quotes may belong to the text
				sc.at++
			}
			return nil
		case c == '\\' && quotes[0] == '"' && sc.at+1 < len(sc.s) && sc.s[sc.at+1] != '\n':
			sc.at += 2
		case c == '\n':
			sc.newline()
		default:
			sc.at++
		}
	}
	return errSyntax
}

// value skips a value and records the keys of inline tables in it.
func (sc *scanner) value(path, known string, depth int) error {
	if depth > maxNesting {
		return &errBound{sc.position(), fmt.Sprintf("values nested deeper than %d", maxNesting)}
	}
	switch c := sc.peek(); c {
	case '"', '\'':
		if quotes := strings.Repeat(string(c), 3); strings.HasPrefix(sc.s[sc.at:], quotes) {
			return sc.multiline(quotes)
		}
		return sc.quoted(c)
	case '[':
		return sc.list(']', func() error { return sc.value(path, known, depth+1) })
	case '{':
		return sc.list('}', func() error { return sc.keyValue(path, known, depth+1) })
	}
	start := sc.at
	for sc.at < len(sc.s) && !strings.ContainsRune(",]}#\n", rune(sc.s[sc.at])) {
		sc.at++
	}
	if sc.at == start {
		return errSyntax
	}
	return nil
}

// list reads items between the present bracket and close.
func (sc *scanner) list(close byte, item func() error) error {
	for sc.at++; ; {
		sc.space(true)
		if sc.peek() == close {
			sc.at++
			return nil
		}
		if err := item(); err != nil {
			return err
		}
		sc.space(true)
		if sc.peek() == ',' {
			sc.at++
		} else if sc.peek() != close {
			return errSyntax
		}
	}
}
