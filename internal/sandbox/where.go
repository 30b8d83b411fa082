package sandbox

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"

	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// frameLine is how the engine prints a frame that has no name (ours never have), and
// offsetLine how it prints where in the code section it stands.
var (
	frameLine  = regexp.MustCompile(`^\t\.\$(\d+)\(`)
	offsetLine = regexp.MustCompile(`^\t\t0x([0-9a-f]+): `)
)

// source is a module as it came, for the names and lines that a trap is told with. A module
// that comes from the cache was not rewritten, and is when the first trap asks.
type source struct {
	mu struct {
		sync.Mutex
		known bool
		names map[uint32]string // of functions
		lines *wasmbin.Lines    // nil: it carries none
	}
	wasm []byte
}

func (s *source) take(r *wasmbin.Rewritten) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(r)
}

func (s *source) keep(r *wasmbin.Rewritten) {
	s.mu.known, s.mu.names, s.mu.lines = true, r.Names, r.Lines(s.wasm)
}

// places finds names and lines. Whoever asks meanwhile waits: one look is enough for all.
func (s *source) places() (names map[uint32]string, lines *wasmbin.Lines) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mu.known {
		if r, err := wasmbin.Rewrite(s.wasm); err == nil { // it did not fail when it was made
			s.keep(r)
		}
	}
	return s.mu.names, s.mu.lines
}

// where names the innermost place in an engine's error that people know: source line,
// function, or both. "" if there is none.
func (m *Module) where(trace string) string {
	name := ""
	names, lines := m.source.places()
	for line := range strings.Lines(trace) {
		if f := frameLine.FindStringSubmatch(line); f != nil {
			index, _ := strconv.ParseUint(f[1], 10, 32)
			if known := names[uint32(index)]; name == "" {
				name = known
			}
			continue
		}
		f := offsetLine.FindStringSubmatch(line)
		if f == nil || lines == nil {
			continue
		}
		offset, _ := strconv.ParseUint(f[1], 16, 32)
		if at := lines.At(uint32(offset)); at != "" {
			if name == "" {
				return at
			}
			return name + ", " + at
		}
	}
	return name
}

// hostAbort is env.abort(message, file, line, column), by which AssemblyScript ends: strings
// are UTF-16, with their length in bytes before them.
func (i *Instance) hostAbort(stack []uint64) {
	message, file := i.assemblyScript(uint32(stack[0])), i.assemblyScript(uint32(stack[1]))
	i.trap(TrapWasm, fmt.Sprintf("abort: %s at %s:%d", message, file, uint32(stack[2])))
}

func (i *Instance) assemblyScript(ptr uint32) string {
	if ptr < 4 {
		return ""
	}
	size, ok := i.memory.ReadUint32Le(ptr - 4)
	b, ok2 := i.memory.Read(ptr, min(size, maxMessage)&^1)
	if !ok || !ok2 {
		return ""
	}
	units := make([]uint16, len(b)/2)
	for k := range units {
		units[k] = binary.LittleEndian.Uint16(b[2*k:])
	}
	return clean([]byte(string(utf16.Decode(units))), maxMessage)
}

// lastWords picks the reason out of what a language's runtime says before it ends: Go's
// panic with the first line of source that is not the runtime's, and the place of Rust's,
// which the SDK logs because the code that traps is the panic handler's.
type lastWords struct{ reason, place string }

// rustPanic begins what the Rust SDK logs of a panic: panic at main.rs:12.
const rustPanic = "panic at "

func (w *lastWords) hear(line string) {
	if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, rustPanic) {
		*w = lastWords{reason: line}
		return
	}
	if w.reason == "" || w.place != "" {
		return
	}
	text := strings.TrimLeft(line, " \t")
	place, _, _ := strings.Cut(text, " ")
	file, number, ok := strings.Cut(place, ".go:")
	if _, err := strconv.Atoi(number); !ok || err != nil || text == line || strings.HasPrefix(file, "runtime/") || strings.Contains(file, "/runtime/") {
		return
	}
	w.place = place[strings.LastIndexByte(place, '/')+1:]
}

func (w *lastWords) String() string {
	if w.place == "" {
		return w.reason
	}
	return w.reason + " at " + w.place
}
