package wasmbin

import (
	"fmt"
	"strings"
)

// custom looks into a custom section. What is in there is advice for tools: damage is no
// reason to refuse the module, so errors inside of it end the look and no more.
func (s *scanner) custom() {
	outer := s.reader
	name := s.name()
	if s.err != nil {
		return
	}
	if len(s.m.info.Custom) == maxCustom {
		s.fail(outer.at, fmt.Sprintf("more than %d custom sections", maxCustom), "strip the module")
		return
	}
	s.m.info.Custom = append(s.m.info.Custom, Section{name, s.end - s.at})
	switch {
	case name == "producers":
		s.producers()
	case name == ".debug_line":
		s.m.info.Lines = true
	case name == "name":
		s.m.names = [2]int{s.at, s.end}
	}
	end := outer.end
	s.reader = outer
	s.at = end
}

// producers reads what compilers say of themselves: "C11 / clang 14.0.6", at most a line.
func (s *scanner) producers() {
	var words []string
	s.vector(func() {
		field := s.name()
		s.vector(func() {
			tool, version := s.name(), s.name()
			if s.err == nil && (field == "language" || field == "processed-by") && len(words) < 6 {
				words = append(words, printable(strings.TrimSpace(tool+" "+version)))
			}
		})
	})
	s.m.info.Producers = strings.Join(words, " / ")
}

// maxPrinted bounds a name that is shown to people.
const maxPrinted = 200

// printable makes a stranger's name safe to print: no control characters, not too long.
func printable(name string) string {
	if len(name) > maxPrinted {
		name = strings.ToValidUTF8(name[:maxPrinted], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\ufffd'
		}
		return r
	}, name)
}

// functionNames reads the name section: the names by index, as far as they are whole.
func (m *module) functionNames() map[uint32]string {
	names := map[uint32]string{}
	r := &reader{b: m.bytes, at: m.names[0], end: m.names[1]}
	for r.at < r.end && r.err == nil {
		kind := r.byte()
		size := r.count()
		if r.err != nil {
			break
		}
		next := r.at + size
		if kind == 1 {
			inner := &reader{b: m.bytes, at: r.at, end: next}
			inner.vector(func() {
				index, name := inner.u32(), inner.name()
				if inner.err == nil && int(index) < len(m.funcs) {
					names[index] = printable(name)
				}
			})
		}
		r.at = next
	}
	return names
}
