package wasmbin

// lineMap says where bytes of the code went: pairs of new and old place, ascending in both.
type lineMap struct {
	codeStart int // of the old file: where the code section's content begins
	newStart  int // of the new file
	pairs     []linePair
}

type linePair struct{ now, was uint32 }

// add notes that the byte at was (in the old file) is now at now, in the new code section.
func (l *lineMap) add(now, was int) {
	l.pairs = append(l.pairs, linePair{uint32(now), uint32(was - l.codeStart)})
}

func (l *lineMap) appendSections(out []byte) []byte { return out }
