package hostile

const (
	callerFrame = 16      // where the frame of an event goes
	callerRoom  = 4 << 10 // for it
	frameHeader = 96      // of contract avx1
)

// CallerTopic is the topic that events for a [Caller] must have, and nothing else but data:
// so the data is where it looks for it.
const CallerTopic = "g"

// Caller is a guest that calls one host function for each event, with the parameters that the
// event's data holds: 8 bytes for each, little-endian. params and results have a letter for each value, i for
// i32 and l for i64; pages is the size of its memory.
func Caller(importModule, function, params, results string, pages int) []byte {
	imported := importModule + "." + function
	m := &module{
		imports: []string{"avx1.next", imported}, also: map[string][2]string{imported: {params, results}},
		exports: map[string]int{}, pages: pages, start: -1,
	}
	var evil []byte
	for k, typ := range params {
		load := byte(0x28)
		if typ == 'l' {
			load = 0x29
		}
		evil = code(evil, i32(callerFrame+frameHeader+len(CallerTopic)+8*k), []byte{load, 0, 0})
	}
	evil = code(evil, call(1), repeat(len(results), []byte{drop}))
	m.exports["avx_abi_1"] = m.add("", "", "", nil)
	m.exports["avx_run"] = m.add("", "i", "", code(loop(i32(callerFrame), i32(callerRoom), call(0), 0x45, 0x04, 0x40, i32(0), 0x0f, 0x0b, evil, br(0)), 0x00))
	return m.bytes()
}
