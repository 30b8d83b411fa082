package wasmbin

// OriginalLines finds source lines of a module as it came.
func OriginalLines(wasm []byte) *Lines {
	return &Lines{moved: &lineMap{pairs: []linePair{{0, 0}}}, wasm: wasm}
}

// Exact meters a module as plainly as can be: before each instruction it takes its price.
// Nothing is tested and nothing is left out, so this is what has really run.
func Exact(wasm []byte) ([]byte, error) {
	m, err := parse(wasm)
	if err != nil {
		return nil, err
	}
	r := &rewriter{m: m, types: newTypeTable(m)}
	e := &emitter{counter: uint32(m.globals), types: &r.types, p: &planner{}}
	r.emit = e
	e.out = make([]byte, 5)
	w := &walker{m: m}
	for v := range m.functions {
		w.enter(&m.functions[v])
		start := len(e.out)
		e.out = append(append(e.out, 0, 0, 0, 0, 0), m.bytes[m.functions[v].code:w.at]...)
		for w.next() {
			e.exact(m, &w.ins)
			w.apply()
		}
		if w.err != nil {
			return nil, w.err
		}
		padded(e.out[start:start+5], uint32(len(e.out)-start-5))
	}
	padded(e.out[:5], uint32(len(m.functions)))
	return r.file(), nil
}

func (e *emitter) exact(m *module, i *instruction) {
	cost := int64(ops[i.op].cost)
	if i.op == opCall && int(i.a) < m.imported {
		cost += costCrossing
	}
	if cost > 0 {
		e.take(cost << fuelShift)
	}
	switch i.op {
	case opCall, opRefFunc:
		e.index(i.op, m.shifted(i.a))
	default:
		e.out = append(e.out, m.bytes[i.at:i.end]...)
	}
}
