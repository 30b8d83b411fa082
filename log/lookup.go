package log

import "github.com/avx-platform/avxrt/abi"

// lookUp sends r to the index, away from the sequencer; where too many are there already,
// the sequencer does it itself.
func (s *sequencer) lookUp(r *request) {
	r.cold, r.found, r.turns = r.cold[:0], nil, s.heads.turns
	note := func(key string) {
		if key != "" && s.heads.get(key) == nil {
			r.cold = append(r.cold, key)
		}
	}
	for i := range r.events {
		note(r.events[i].Key)
	}
	for _, key := range r.streams {
		note(key)
	}
	if r.conditions != nil {
		for _, e := range r.conditions.Streams {
			note(e.Key)
		}
	}
	if s.away == maxLookups {
		s.resolve(r)
		s.held = append(s.held, r)
		return
	}
	s.away++ // there is a place in both channels for as many as may be away
	s.lookups <- r
}

// loadFilter is a goroutine of the log: it finds out which streams existed when the store
// was opened. Until then every stream that is not in memory is looked up.
func (s *sequencer) loadFilter() {
	if f, err := s.l.index.existing(); err == nil {
		s.filters <- f
	}
}

// resolveAll is a goroutine of the log: it answers lookups until the sequencer ends.
func (s *sequencer) resolveAll() {
	for r := range s.lookups {
		s.resolve(r)
		s.back <- r
	}
}

// resolve asks the index for the cold streams of r. An error becomes r's answer when it is
// back.
func (s *sequencer) resolve(r *request) {
	if r.err = s.l.index.wait(s.l.index.opened); r.err != nil {
		return
	}
	seen := map[string]bool{}
	for _, key := range r.cold {
		if seen[key] {
			continue
		}
		seen[key] = true
		var version abi.Version
		if version, r.err = s.l.index.head(key); r.err != nil {
			return
		}
		row, err := readStreamRow(s.l.db, key)
		if err != nil {
			r.err = err
			return
		}
		r.found = append(r.found, foundHead{key, version, row.closed})
	}
}
