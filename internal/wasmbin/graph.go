package wasmbin

// Where fuel is tested and depth counted is decided on the graph of calls. A function in a
// cycle of calls tests both when it is entered. One outside of any cycle runs at most once
// for each call that is written down, so its cost and depth are known: it needs no counter
// of depth, and no test of its own if it is short.
const (
	// untestedLimit is how much fuel a call may burn without a test: its caller counts it.
	untestedLimit = 2_000
	// straightLimit is how much fuel may pass in straight code until a test is put in. On
	// the way back from the deepest recursion every frame may burn as much.
	straightLimit = 2_000
	// freeLeaf is the cost up to which a function without calls, loops and lengths is
	// charged by who calls it and left as it is.
	freeLeaf = 48
	// plainDepth is how much depth all functions outside of cycles may take one behind the
	// other; above that every call is counted.
	plainDepth = 600
)

// node is the verdict on one function with a body.
type node struct {
	recursive bool // count its depth
	tested    bool // test at its entry
	free      bool // its callers pay
	units     int  // of depth
	untested  int  // fuel that a call of it may burn before the first test
}

// graph decides for every function. depth is what a run may use.
func graph(m *module, sums []summary) (nodes []node, depth int) {
	g := newGrapher(m, sums)
	g.components()
	deepest := 0
	for i := range g.nodes {
		deepest = max(deepest, g.deep[i])
	}
	if deepest <= plainDepth {
		return g.nodes, maxDepth - deepest
	}
	for i := range g.nodes { // long chains: count every frame
		g.nodes[i].recursive, g.nodes[i].tested, g.nodes[i].free = true, true, false
	}
	return g.nodes, maxDepth
}

// grapher finds the strongly connected components of the calls (Tarjan's algorithm,
// without recursion). A call through a table goes to a vertex for its signature, which
// leads to every function of that signature that somebody refers to; so edges stay few.
type grapher struct {
	m      *module
	sums   []summary
	nodes  []node
	byType [][]uint32 // functions that may be called through a table, by canonical type
	canon  []int      // the first type of the same signature
	deep   []int      // by vertex: depth of functions outside of cycles one behind the other

	index, low []int
	group      []int // by vertex: its component, 0 while there is none
	groups     int
	stack      []int
}

func newGrapher(m *module, sums []summary) *grapher {
	n := len(sums) + len(m.types)
	g := &grapher{m: m, sums: sums, nodes: make([]node, len(sums)), deep: make([]int, n),
		index: make([]int, n), low: make([]int, n), group: make([]int, n),
		canon: make([]int, len(m.types)), byType: make([][]uint32, len(m.types))}
	first := map[string]int{}
	for i := range m.types {
		name := m.types[i].name
		if _, ok := first[name]; !ok {
			first[name] = i
		}
		g.canon[i] = first[name]
	}
	for f := m.imported; f < len(m.funcs); f++ {
		if m.taken[f] {
			t := g.canon[m.funcs[f]]
			g.byType[t] = append(g.byType[t], uint32(f-m.imported))
		}
	}
	return g
}

// edge returns where the k-th call of vertex v leads; ok is false behind the last. to is
// below 0 for an imported function.
func (g *grapher) edge(v, k int) (to int, ok bool) {
	if v >= len(g.sums) {
		list := g.byType[v-len(g.sums)]
		if k >= len(list) {
			return 0, false
		}
		return int(list[k]), true
	}
	s := &g.sums[v]
	if k < len(s.calls) {
		return int(s.calls[k]) - g.m.imported, true
	}
	if k -= len(s.calls); k < len(s.through) {
		return len(g.sums) + g.canon[s.through[k]], true
	}
	return 0, false
}

// components visits every vertex, callees first, and judges each component.
func (g *grapher) components() {
	type visit struct{ v, k int }
	counter := 0
	var work []visit
	enter := func(v int) {
		counter++
		g.index[v], g.low[v] = counter, counter
		g.stack = append(g.stack, v)
		work = append(work, visit{v, 0})
	}
	for root := range g.index {
		if g.index[root] != 0 {
			continue
		}
		enter(root)
		for len(work) > 0 {
			top := &work[len(work)-1]
			v := top.v
			if to, ok := g.edge(v, top.k); ok {
				top.k++
				switch {
				case to < 0:
				case g.index[to] == 0:
					enter(to)
				case g.group[to] == 0:
					g.low[v] = min(g.low[v], g.index[to])
				}
				continue
			}
			work = work[:len(work)-1]
			if len(work) > 0 {
				parent := work[len(work)-1].v
				g.low[parent] = min(g.low[parent], g.low[v])
			}
			if g.low[v] == g.index[v] {
				g.component(v)
			}
		}
	}
}

// component takes one component from the stack and judges its functions. More than one
// member is a cycle, and so is a member that calls itself.
func (g *grapher) component(root int) {
	first := len(g.stack) - 1
	for g.stack[first] != root {
		first--
	}
	members := g.stack[first:]
	g.stack = g.stack[:first]
	g.groups++
	for _, v := range members {
		g.group[v] = g.groups
	}
	deep, cycle := 0, len(members) > 1
	for _, v := range members {
		for k := 0; ; k++ {
			to, ok := g.edge(v, k)
			if !ok {
				break
			}
			switch {
			case to < 0:
			case g.group[to] == g.groups:
				cycle = true
			default:
				deep = max(deep, g.deep[to])
			}
		}
	}
	for _, v := range members {
		g.deep[v] = deep
		if v < len(g.sums) {
			g.judge(v, cycle)
		}
	}
}

// judge decides for one function; its callees outside of its cycle are decided.
func (g *grapher) judge(v int, cycle bool) {
	n, s := &g.nodes[v], &g.sums[v]
	n.recursive, n.units, n.untested = cycle, s.frameUnits(), s.cost
	if !cycle {
		g.deep[v] += n.units
	}
	for _, f := range s.calls {
		if c := int(f) - g.m.imported; c >= 0 && g.group[c] != g.group[v] {
			n.untested += g.nodes[c].spill()
		}
	}
	n.untested += untestedLimit * len(s.through)
	n.tested = n.recursive || n.untested > untestedLimit
	f := v + g.m.imported
	n.free = !n.recursive && !s.loops && !s.bulk && len(s.calls)+len(s.through) == 0 &&
		s.cost <= freeLeaf && !g.m.taken[f] && !g.m.exported[f]
}

// spill is what a call of the function may burn before its first test.
func (n *node) spill() int {
	if n.tested {
		return 0
	}
	return n.untested
}
