package hostile

// Version is a module that somebody deploys by mistake in the place of one that works.
type Version struct {
	Name string
	Wasm []byte
	// Quiet is one that handles its events, only not as it should: nothing but a comparison finds it.
	Quiet bool
	// Handles is how many events it handles before it fails.
	Handles int
}

// lateAfter is how many events the version "traps-late" handles.
const lateAfter = 20

// Versions returns modules that load and are bad in the ways in which deployments are.
func Versions() []Version {
	const counter = 1024 // address, in memory that next does not use
	load := code(i32(counter), 0x28, 2, 0)
	late := code(i32(counter), load, i32(1), 0x6a, 0x36, 2, 0, load, i32(lateAfter), 0x4b, 0x04, 0x40, 0x00, 0x0b)
	return []Version{
		{Name: "traps", Wasm: plain(0x00)},
		{Name: "traps-late", Wasm: guestAt(65536, late), Handles: lateAfter},
		{Name: "fails", Wasm: plain(i32(2), i32(0), i32(0), call(fail))},
		{Name: "retries", Wasm: plain(i32(1), i32(0), i32(0), call(fail))},
		{Name: "stops", Wasm: plain(i32(4), i32(0), i32(0), call(fail))},
		{Name: "spins", Wasm: plain(forever())},
		{Name: "recurses", Wasm: guest(func(m *module) []byte {
			f := len(imports)
			m.add("", "", "", call(f))
			return call(f)
		})},
		{Name: "dies-at-start", Wasm: initTraps()},
		{Name: "takes-nothing", Wasm: takesNothing()},
		{Name: "slow", Wasm: plain(times(0, 50_000, i32(1), drop)), Quiet: true},
		{Name: "does-nothing", Wasm: plain(), Quiet: true},
	}
}

// guestAt is plain with the events at another address.
func guestAt(buffer int, evil []byte) []byte {
	m := &module{imports: imports, exports: map[string]int{}, pages: pages, start: -1}
	m.exports["avx_abi_1"] = m.add("", "", "", nil)
	run := code(loop(i32(buffer), i32(65536), call(next), 0x45, 0x04, 0x40, i32(0), 0x0f, 0x0b, evil, br(0)), 0x00)
	m.exports["avx_run"] = m.add("", "i", "iil", run)
	return m.bytes()
}

func initTraps() []byte {
	m := &module{imports: imports, exports: map[string]int{}, pages: pages, start: -1}
	m.exports["avx_abi_1"] = m.add("", "", "", nil)
	m.exports["avx_run"] = m.add("", "i", "", i32(0))
	m.exports["avx_init"] = m.add("", "i", "", code(0x00))
	return m.bytes()
}

func takesNothing() []byte {
	m := &module{imports: imports, exports: map[string]int{}, pages: pages, start: -1}
	m.exports["avx_abi_1"] = m.add("", "", "", nil)
	m.exports["avx_run"] = m.add("", "i", "", i32(0))
	return m.bytes()
}
