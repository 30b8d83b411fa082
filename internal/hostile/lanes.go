package hostile

// vector is an instruction on vectors.
func vector(op int, rest ...any) []byte { return code(0xfd, u(op), code(rest...)) }

// lane is a way to make a vector, or to take one.
type lane struct {
	name string
	code []byte
}

// makers leave a vector with NaNs, whose bits the specification leaves open; takers look at one,
// in lanes of its width or of the other, in which it is an ordinary number.
func makers() []lane {
	number := func(half ...byte) []byte { return vector(0x0c, append(half, half...)) }
	zero := number(make([]byte, 8)...)
	one, other := number(1, 0, 0xa0, 0x7f, 1, 0, 0xf4, 0xff), number(2, 0, 0xb0, 0xff, 2, 0, 0xf5, 0x7f) // NaNs with bits of their own, of each width
	return []lane{
		{"f32x4.div", code(zero, zero, vector(0xe7))}, {"f64x2.div", code(zero, zero, vector(0xf3))},
		{"f32x4.sqrt", code(number(0, 0, 0x80, 0xbf, 0, 0, 0x80, 0xbf), vector(0xe3))}, {"f64x2.sqrt", code(number(0, 0, 0, 0, 0, 0, 0xf0, 0xbf), vector(0xef))},
		{"f32x4.add", code(one, other, vector(0xe4))}, {"f64x2.add", code(one, other, vector(0xf0))}, {"f64x2.mul", code(other, one, vector(0xf2))},
		{"f32x4.min", code(one, other, vector(0xe8))}, {"f64x2.max", code(other, one, vector(0xf5))},
		{"f32x4.ceil", code(one, vector(0x67))}, {"f64x2.nearest", code(one, vector(0x94))},
		{"f32x4.demote_f64x2", code(one, vector(0x5e))}, {"f64x2.promote_f32x4", code(one, vector(0x5f))},
	}
}

func takers() []lane {
	zero := vector(0x0c, make([]byte, 16))
	return []lane{
		{"nothing", nil}, {"f32x4.add", code(zero, vector(0xe4))}, {"f64x2.add", code(zero, vector(0xf0))}, {"f64x2.mul", code(zero, vector(0xf2))},
		{"f32x4.sqrt", vector(0xe3)}, {"f64x2.sqrt", vector(0xef)}, {"f64x2.lt", code(zero, vector(0x49))}, {"f32x4.lt", code(zero, vector(0x43))},
		{"f32x4.demote_f64x2", vector(0x5e)}, {"f64x2.promote_f32x4", vector(0x5f)}, {"i32x4.trunc_f32x4", vector(0xf8)}, {"i32x4.trunc_f64x2", vector(0xfc)},
		{"f32x4.pmin", code(zero, vector(0xea))}, {"f64x2.pmax", code(zero, vector(0xf7))}, {"i8x16.bitmask", code(vector(0x64), vector(0x11))},
	}
}

// Lanes names what the guest "lanes" replies with, sixteen bytes each.
func Lanes() []string {
	var names []string
	for _, m := range makers() {
		for _, t := range takers() {
			names = append(names, m.name+" read by "+t.name)
		}
	}
	return names
}

// laneGuest makes every kind of NaN and looks at it in every way.
func laneGuest() Guest {
	var all []byte
	const at = 1 << 20 // behind the event
	n := 0
	for _, m := range makers() {
		for _, t := range takers() {
			all = code(all, i32(at+16*n), m.code, t.code, vector(0x0b, 0, 0))
			n++
		}
	}
	return Guest{"lanes", plain(all, i32(at), i32(16*n), call(reply), drop), []string{""}}
}
