package router

import "strings"

// Overlaps says whether some topic fits both patterns.
func (p Pattern) Overlaps(q Pattern) bool {
	if p.text == "" || q.text == "" {
		return false
	}
	return overlap(strings.Split(p.text, "."), strings.Split(q.text, "."), p.text[0] == '*' || q.text[0] == '*')
}

// overlap takes both apart from the left; visible says that the next segment of the topic
// must not begin with $, since one of the patterns begins with a wildcard. There are two ** in
// a pattern at most, so there are few ways.
func overlap(p, q []string, visible bool) bool {
	hidden := func(segment string) bool { return visible && segment[0] == '$' }
	switch {
	case len(p) > 0 && p[0] == many:
		if overlap(p[1:], q, visible) {
			return true
		}
		if visible && len(q) > 0 && q[0] == many && overlap(p, q, false) { // a first segment that both take in
			return true
		}
		return len(q) > 0 && !hidden(q[0]) && overlap(p, q[1:], visible && q[0] == many)
	case len(q) > 0 && q[0] == many:
		return overlap(q, p, visible)
	case len(p) == 0 || len(q) == 0:
		return len(p) == len(q)
	}
	return (p[0] == q[0] || p[0] == one || q[0] == one) && !hidden(p[0]) && !hidden(q[0]) && overlap(p[1:], q[1:], false)
}
