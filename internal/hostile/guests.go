package hostile

// Guest is a module that does one bad thing for each event.
type Guest struct {
	Name string
	Wasm []byte
	// Ends are the kinds of traps with which it may end; "" that it may return, "load" that
	// it may be refused or fail to start.
	Ends []string
}

// Indices of what every guest imports.
const (
	next = iota
	emit
	logLine
	kvSet
	kvGet
	kvScan
	random
	reply
	fail
	conf
	procExit
	fdWrite
	randomGet
	pollOneoff
	clockTime
	abort
)

var imports = []string{"avx1.next", "avx1.emit", "avx1.log", "avx1.kv_set", "avx1.kv_get", "avx1.kv_scan", "avx1.rand",
	"avx1.reply", "avx1.fail", "avx1.conf", "wasi_snapshot_preview1.proc_exit", "wasi_snapshot_preview1.fd_write",
	"wasi_snapshot_preview1.random_get", "wasi_snapshot_preview1.poll_oneoff", "wasi_snapshot_preview1.clock_time_get", "env.abort"}

// memory of every guest, in pages, below the default limit.
const pages = 200

// guest makes a module whose avx_run takes events and does evil for each. prepare may add
// functions and tables before; evil has three locals: 0 and 1 of i32 for its use, 2 of i64.
func guest(prepare func(m *module) []byte) []byte {
	m := &module{imports: imports, exports: map[string]int{}, pages: pages, start: -1}
	evil := prepare(m)
	m.exports["avx_abi_1"] = m.add("", "", "", nil)
	run := code(loop(i32(16), i32(65536), call(next), 0x45, 0x04, 0x40, i32(0), 0x0f, 0x0b, evil, br(0)), 0x00)
	m.exports["avx_run"] = m.add("", "i", "iil", run)
	return m.bytes()
}

// plain is evil without functions of its own.
func plain(parts ...any) []byte {
	return guest(func(*module) []byte { return code(parts...) })
}

var (
	byFuel  = []string{"fuel"}
	byDepth = []string{"depth"}
	byTrap  = []string{"trap"}
)

// Guests returns all of them.
func Guests() []Guest {
	var all []Guest
	all = append(all, spinning()...)
	all = append(all, recursing()...)
	all = append(all, calling()...)
	all = append(all, moving()...)
	all = append(all, trapping()...)
	all = append(all, flooding()...)
	all = append(all, refusing()...)
	all = append(all, laneGuest())
	return append(all, starting()...)
}

func spinning() []Guest {
	empty := code(0x03, 0x40, br(0), 0x0b)
	straight := repeat(60_000, code(get(0), i32(7), 0x6c, set(0)))
	nested := code(br(0))
	for range 900 {
		nested = block(nested)
	}
	return []Guest{
		{"loop", plain(empty), byFuel},
		{"loop-nop", plain(forever(0x01, 0x01)), byFuel},
		{"loop-if", plain(loop(i32(1), 0x0d, 0)), byFuel},
		{"loop-table", plain(loop(i32(3), 0x0e, u(2), 0, 0, 0)), byFuel},
		{"loops-in-loops", plain(forever(times(0, 1000, times(1, 1000)))), byFuel},
		{"loop-inner-dead", plain(loop(block(br(0), forever()), br(0))), byFuel},
		{"loop-out-and-in", plain(loop(block(loop(i32(1), 0x0d, 1, br(0))), br(0))), byFuel},
		{"straight", plain(forever(straight)), byFuel},
		{"nested", plain(forever(nested)), byFuel},
		{"divide", plain(forever(i32(1000), get(0), i32(1), 0x72, 0x6e, set(0))), byFuel},
		{"misses", plain(forever(get(0), i32(4097*3), 0x6a, i32(pages*65536-8), 0x70, 0x22, u(0), 0x28, 2, 0, drop)), byFuel},
		{"vectors", plain(forever(repeat(20, code(get(0), 0xfd, 0x0f, get(0), 0xfd, 0x6b, get(0), 0xfd, 0x0f, 0xfd, 0xd5, 0x01, drop)))), byFuel},
		{"square-roots", plain(forever(repeat(20, code(get(0), 0xb7, 0x9f, 0x9f, 0x9f, drop)))), byFuel},
		{"fake-counter", guest(func(m *module) []byte { // plenty in a global of its own
			m.globals = 3
			return forever(0x42, s(1<<50), 0x24, u(0), 0x42, s(1<<50), 0x24, u(2))
		}), byFuel},
	}
}

func recursing() []Guest {
	self := func(locals string, many int, typ rune, before, after []byte) []byte {
		return guest(func(m *module) []byte {
			f := len(imports)
			m.add("", "", locals, code(before, call(f), after))
			if many > 0 {
				m.manyLocals(many, typ)
			}
			return call(f)
		})
	}
	returning := func(depth int) []byte {
		return guest(func(m *module) []byte {
			f := len(imports)
			m.add("i", "", "", code(get(0), 0x45, 0x04, 0x40, 0x0f, 0x0b, get(0), i32(1), 0x6b, call(f)))
			return code(i32(depth), call(f))
		})
	}
	return []Guest{
		{"recurse", self("", 0, 0, nil, nil), byDepth},
		{"recurse-locals", self("", 4000, 'l', nil, get(7)[:0]), byDepth},
		{"recurse-vectors", self("", 2000, 'v', nil, nil), byDepth},
		{"recurse-stack", self("", 0, 0, repeat(3000, i32(5)), repeat(3000, code(drop))), byDepth},
		{"recurse-spills", self("i", 0, 0, repeat(800, code(get(0), i32(3), 0x6a)), repeat(800, code(0x21, 0))), byDepth},
		{"recurse-mutual", guest(func(m *module) []byte {
			f := len(imports)
			m.add("", "", "", call(f+1))
			m.add("", "", "", call(f))
			return call(f)
		}), byDepth},
		{"recurse-300-and-return", returning(300), []string{""}}, // only to make their stacks large
		{"recurse-1800-and-return", returning(1800), []string{""}},
		{"globals", guest(func(m *module) []byte {
			m.globals = 9000
			return nil
		}), []string{""}},
		{"many-references", guest(func(m *module) []byte { // to as many functions
			var refs []byte
			for range 5000 {
				refs = append(refs, code(0xd2, u(m.add("", "", "", nil)), drop)...)
				m.table = append(m.table, len(imports)+len(m.bodies)-1)
			}
			return refs
		}), []string{""}},
		{"take-references", plain(times(0, 2000, 0xd2, u(len(imports)+1), drop)), []string{""}}, // to its own avx_run: each may cost the host some memory
		{"recurse-twice", guest(func(m *module) []byte { // 2^1000 calls without a loop
			f := len(imports)
			m.add("i", "", "", code(get(0), 0x45, 0x04, 0x40, 0x0f, 0x0b, get(0), i32(1), 0x6b, call(f), get(0), i32(1), 0x6b, call(f)))
			return code(i32(1000), call(f))
		}), byFuel},
	}
}

// calling is recursion's neighbour: many calls, none of a function of itself, and calls
// through a table.
func calling() []Guest {
	return []Guest{
		{"chain", guest(func(m *module) []byte { // 2^40 calls without recursion
			f := len(imports)
			for k := range 40 {
				c := code(call(f+k+1), call(f+k+1))
				if k == 39 {
					c = code(0x01)
				}
				m.add("", "", "", c)
			}
			return call(f)
		}), byFuel},
		{"chain-wide", guest(func(m *module) []byte { // 30^8 calls without recursion or loop
			f := len(imports)
			for k := range 9 {
				c := repeat(30, call(f+k+1))
				if k == 8 {
					c = repeat(30, code(i32(1), drop))
				}
				m.add("", "", "", c)
			}
			return call(f)
		}), byFuel},
		{"chain-long", guest(func(m *module) []byte { // 5,000 functions, each calls the next
			f := len(imports)
			for k := range 5000 {
				c := call(f + k + 1)
				if k == 4999 {
					c = nil
				}
				m.add("", "", "", c)
			}
			return call(f)
		}), byDepth},
		{"recurse-table", guest(func(m *module) []byte {
			f := len(imports)
			m.table = []int{f}
			m.add("", "", "", code(i32(0), 0x11, u(m.typeOf("", "")), 0))
			return call(f)
		}), byDepth},
		{"tree-table", guest(func(m *module) []byte { // 2^600 calls through a table
			f := len(imports)
			m.table = []int{f}
			t := m.typeOf("i", "")
			again := code(get(0), i32(1), 0x6b, i32(0), 0x11, u(t), 0)
			m.add("i", "", "", code(get(0), 0x45, 0x04, 0x40, 0x0f, 0x0b, again, again))
			return code(i32(600), call(f))
		}), byFuel},
		{"return-deep", guest(func(m *module) []byte { // deep, out by return and by branches, again and again
			f := len(imports)
			m.add("i", "", "", code(get(0), 0x45, 0x04, 0x40, 0x0f, 0x0b, block(get(0), i32(1), 0x71, 0x0d, 1), get(0), i32(1), 0x6b, call(f)))
			m.add("i", "", "", code(get(0), 0x45, 0x0d, 0, get(0), i32(1), 0x6b, call(f+1), repeat(100, code(i32(1), drop))))
			return forever(i32(1000), call(f), i32(1500), call(f+1))
		}), byFuel},
	}
}

func moving() []Guest {
	all := pages * 65536
	fill := func(at, n int) []byte { return code(i32(at), i32(7), i32(n), 0xfc, 0x0b, 0) }
	copyMem := func(to, from, n int) []byte { return code(i32(to), i32(from), i32(n), 0xfc, 0x0a, 0, 0) }
	return []Guest{
		{"fill-storm", plain(forever(fill(0, all))), byFuel},
		{"fill-straight", plain(repeat(2000, fill(0, all))), byFuel},
		{"copy-storm", plain(forever(copyMem(1, 0, all-1), copyMem(0, 1, all-1))), byFuel},
		{"fill-small", plain(forever(fill(0, 500))), byFuel},
		{"fill-outside", plain(fill(all-10, 1<<30)), byTrap},
		{"copy-outside", plain(copyMem(0, all-300_000, 600_000)), byTrap},
		{"grow-one", plain(forever(i32(1), 0x40, 0, drop)), byFuel},
		{"grow-all", plain(i32(65536), 0x40, 0, drop), []string{""}},
		{"grow-nothing", plain(forever(i32(0), 0x40, 0, drop)), byFuel},
		{"table-grow", guest(func(m *module) []byte {
			m.table = []int{len(imports)}
			m.add("", "", "", nil)
			return code(0xd0, 0x70, i32(-3), 0xfc, 0x0f, 0, drop)
		}), []string{""}},
		{"table-grow-one", guest(func(m *module) []byte {
			m.table = []int{len(imports)}
			m.add("", "", "", nil)
			return forever(0xd0, 0x70, i32(1), 0xfc, 0x0f, 0, drop)
		}), byFuel},
		{"table-fill", guest(func(m *module) []byte {
			m.table = []int{len(imports)}
			m.add("", "", "", nil)
			return code(0xd0, 0x70, i32(60000), 0xfc, 0x0f, 0, drop, forever(i32(0), 0xd0, 0x70, i32(60000), 0xfc, 0x11, 0))
		}), byFuel},
		{"table-copy", guest(func(m *module) []byte {
			m.table = []int{len(imports)}
			m.add("", "", "", nil)
			return code(0xd0, 0x70, i32(60000), 0xfc, 0x0f, 0, drop, forever(i32(0), i32(1), i32(60000), 0xfc, 0x0e, 0, 0))
		}), byFuel},
		{"init-storm", guest(func(m *module) []byte {
			m.passive = make([]byte, 1<<20)
			return forever(i32(0), i32(0), i32(1<<20), 0xfc, 0x08, 0, 0)
		}), byFuel},
		{"references", guest(func(m *module) []byte {
			f := len(imports)
			m.table = []int{f}
			m.add("", "", "", nil)
			return forever(0xd2, u(f), drop)
		}), byFuel},
	}
}

func trapping() []Guest {
	return []Guest{
		{"unreachable", plain(0x00), byTrap},
		{"divide-by-zero", plain(i32(1), i32(0), 0x6d, drop), byTrap},
		{"overflow", plain(i32(-1<<31), i32(-1), 0x6d, drop), byTrap},
		{"outside", plain(i32(-1), 0x28, 2, 0, drop), byTrap},
		{"no-integer", plain(0x43, 0, 0, 0xc0, 0x7f, 0xa8, drop), byTrap},
		{"null-call", guest(func(m *module) []byte {
			m.table = []int{len(imports)}
			m.add("", "", "", nil)
			return code(0xd0, 0x70, i32(5), 0xfc, 0x0f, 0, drop, i32(3), 0x11, u(m.typeOf("", "")), 0)
		}), byTrap},
		{"wrong-call", guest(func(m *module) []byte {
			m.table = []int{len(imports)}
			m.add("i", "", "", nil)
			return code(i32(0), 0x11, u(m.typeOf("", "")), 0)
		}), byTrap},
		{"abort", plain(i32(100), i32(4), 0x36, 2, 0, i32(104), i32('o'<<16|'n'), 0x36, 2, 0, i32(104), i32(104), i32(7), i32(1), call(abort)), byTrap},
		{"exit", plain(i32(3), call(procExit)), []string{"exit"}},
		{"bad-pointer", plain(i32(-5), i32(100), call(reply), drop), []string{"pointer"}},
		{"bad-frame-pointer", plain(i32(-200), i32(65536), call(next), drop), []string{"pointer", ""}},
	}
}

func flooding() []Guest {
	zero := i32(0)
	return []Guest{
		{"log-flood", plain(forever(i32(2), i32(0), i32(200), call(logLine))), byFuel},
		{"log-huge", plain(forever(i32(2), i32(0), i32(pages*65536), call(logLine))), byFuel},
		{"emit-flood", plain(forever(i32(16), i32(200), call(emit), drop)), byFuel},
		{"set-flood", plain(forever(i32(0), i32(8), i32(0), i32(200), call(kvSet), drop)), byFuel},
		{"set-big", plain(forever(i32(0), i32(8), i32(0), i32(1<<20), call(kvSet), drop)), byFuel},
		{"get-flood", plain(forever(i32(0), i32(8), i32(0), i32(64), call(kvGet), drop)), byFuel},
		{"scan-flood", plain(forever(zero, zero, zero, zero, zero, i32(1<<20), call(kvScan), drop)), byFuel},
		{"scan-nothing", plain(forever(zero, zero, zero, zero, zero, zero, call(kvScan), drop)), byFuel},
		{"conf-flood", plain(forever(i32(0), i32(1<<20), i32(0), i32(64), call(conf), drop)), byFuel},
		{"reply-flood", plain(forever(i32(0), i32(1<<20), call(reply), drop)), byFuel},
		{"random-flood", plain(forever(i32(0), i32(65536), call(random))), byFuel},
		{"wasi-random-flood", plain(forever(i32(0), i32(pages*65536), call(randomGet), drop)), byFuel},
		{"write-flood", plain(forever(i32(2), i32(0), i32(1024), i32(65536), call(fdWrite), drop)), byFuel},
		{"write-vectors", plain(forever(i32(2), i32(0), i32(1<<20), i32(65536), call(fdWrite), drop)), byFuel},
		{"write-newlines", plain(i32(4096), i32('\n'), i32(pages*65536-4096), 0xfc, 0x0b, 0, i32(0), i32(4096), 0x36, 2, 0,
			i32(4), i32(pages*65536-4096), 0x36, 2, 0, forever(i32(2), i32(0), i32(1), i32(2048), call(fdWrite), drop)), byFuel},
		{"scan-beside-writes", plain(times(0, 16_000, i32(0), get(0), 0x36, 2, 0, i32(0), i32(4), zero, zero, call(kvSet), drop),
			i32(0), i32(-1), 0x36, 2, 0, forever(i32(0), i32(4), zero, zero, zero, zero, call(kvScan), drop)), byFuel},
		{"sleep-forever", plain(i32(256), i32(0), 0x36, 2, 0, forever(i32(0), i32(1024), i32(1), i32(2048), call(pollOneoff), drop)), byFuel},
		{"poll-many", plain(forever(i32(0), i32(1<<20), i32(1<<17), i32(2048), call(pollOneoff), drop)), byFuel},
		{"clock-flood", plain(forever(i32(1), 0x42, 0, i32(64), call(clockTime), drop)), byFuel},
		{"next-held", plain(forever(i32(0), i32(0), call(next), 0x45, 0x04, 0x40, i32(0), 0x0f, 0x0b)), []string{"fuel", ""}},
		{"next-after-end", plain(forever(i32(16), i32(65536), call(next), drop)), byFuel},
		{"fail-flood", plain(forever(i32(1), i32(0), i32(100), call(fail))), byFuel},
	}
}

// refusing guests come back without having done what they are there for.
func refusing() []Guest {
	made := func(run ...any) []byte {
		m := &module{imports: imports, exports: map[string]int{}, pages: pages, start: -1}
		m.exports["avx_abi_1"] = m.add("", "", "", nil)
		m.exports["avx_run"] = m.add("", "i", "", code(run...))
		return m.bytes()
	}
	return []Guest{
		{"never-asks", made(i32(0)), []string{"exit"}},
		{"small-buffer", made(i32(16), i32(10), call(next), drop, i32(0)), []string{"exit"}},
		{"asks-again-in-vain", made(i32(16), i32(10), call(next), drop, i32(16), i32(10), call(next), drop, i32(0)), []string{"exit"}},
	}
}

func starting() []Guest {
	spin := forever()
	made := func(where string) []byte {
		return guest(func(m *module) []byte {
			switch where {
			case "start":
				m.start = m.add("", "", "", spin)
			case "avx_init":
				m.exports[where] = m.add("", "i", "", code(spin, 0x00))
			default:
				m.exports[where] = m.add("", "", "", spin)
			}
			return nil
		})
	}
	load := []string{"load"}
	return []Guest{
		{"start-loop", made("start"), load},
		{"initialize-loop", made("_initialize"), load},
		{"init-loop", made("avx_init"), load},
	}
}
