package sandbox

import (
	"context"
	"encoding/binary"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// The WASI that language runtimes need is the engine's, with nothing behind it: no files, no
// sockets, no arguments. Three functions are ours, because their work grows with numbers
// that the guest gives: they are bounded, and pay by the byte. So are those of withoutFiles.
var wasiOverrides = map[string]hostFunction{
	"fd_write":    {"iiii", "i", 100, (*Instance).wasiWrite},
	"random_get":  {"ii", "i", 100, (*Instance).wasiRandom},
	"poll_oneoff": {"iiii", "i", 100, (*Instance).wasiPoll},
}

// Error numbers of WASI preview 1.
const (
	wasiOK     = 0
	wasiBadF   = 8
	wasiFault  = 21
	wasiInval  = 28
	wasiNotSup = 58
)

func instantiateWASI(ctx context.Context, r wazero.Runtime) error {
	b := r.NewHostModuleBuilder(wasi_snapshot_preview1.ModuleName)
	wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(b)
	for name, f := range wasiOverrides {
		b = b.NewFunctionBuilder().WithGoModuleFunction(f.adapt(), valueTypes(f.params), valueTypes(f.results)).Export(name)
	}
	for name, params := range withoutFiles {
		f := hostFunction{params, "i", 0, (*Instance).wasiNoFile}
		b = b.NewFunctionBuilder().WithGoModuleFunction(f.adapt(), valueTypes(params), valueTypes("i")).Export(name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// withoutFiles are functions, and their parameters, that mean nothing without files and sockets. The engine's
// copy and look at a path of any length before they find that out, 23 ms for one of 6 MiB, and
// one of them breaks on standard output. Ours look at nothing.
var withoutFiles = map[string]string{
	"fd_advise": "illi", "fd_allocate": "ill", "fd_datasync": "i", "fd_fdstat_set_rights": "ill", "fd_filestat_set_size": "il",
	"fd_filestat_set_times": "illi", "fd_pread": "iiili", "fd_pwrite": "iiili", "fd_readdir": "iiili", "fd_renumber": "ii", "fd_sync": "i",
	"path_create_directory": "iii", "path_filestat_get": "iiiii", "path_filestat_set_times": "iiiilli", "path_link": "iiiiiii",
	"path_open": "iiiiillii", "path_readlink": "iiiiii", "path_remove_directory": "iii", "path_rename": "iiiiii", "path_symlink": "iiiii",
	"path_unlink_file": "iii", "sock_accept": "iii", "sock_recv": "iiiiii", "sock_send": "iiiii", "sock_shutdown": "ii",
}

const (
	maxVectors = 1024 // of one fd_write
	maxPolled  = 64   // of one poll_oneoff
	maxWritten = 64 << 10
)

// wasiWrite is fd_write(fd, iovs, n, nwritten): what is written becomes log lines.
func (i *Instance) wasiWrite(stack []uint64) {
	fd, at, n, result := uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3])
	lines := &i.stdout
	switch fd {
	case 1:
	case 2:
		lines = &i.stderr
	default:
		answer(stack, wasiBadF)
		return
	}
	vectors, ok := i.memory.Read(at, 8*min(n, maxVectors))
	if !ok || n > maxVectors {
		answer(stack, wasiInval)
		return
	}
	written := uint32(0)
	for ; len(vectors) > 0; vectors = vectors[8:] {
		text, ok := i.memory.Read(binary.LittleEndian.Uint32(vectors), binary.LittleEndian.Uint32(vectors[4:]))
		if !ok {
			answer(stack, wasiFault)
			return
		}
		written += uint32(len(text))
		i.owe(1)
		for len(text) > 0 { // whoever cannot pay for all does not owe all
			n := min(len(text), maxWritten)
			i.owe(n / logBytesPerFuel)
			i.pay()
			lines.write(text[:n])
			text = text[n:]
		}
	}
	if !i.memory.WriteUint32Le(result, written) {
		answer(stack, wasiFault)
		return
	}
	answer(stack, wasiOK)
}

// wasiRandom is random_get(buf, len).
func (i *Instance) wasiRandom(stack []uint64) {
	b, ok := i.memory.Read(uint32(stack[0]), uint32(stack[1]))
	if !ok {
		answer(stack, wasiFault)
		return
	}
	for len(b) > 0 {
		n := min(len(b), maxRandom)
		i.owe(n / randomBytesPerFuel)
		i.pay()
		i.fill(b[:n])
		b = b[n:]
	}
	answer(stack, wasiOK)
}

// wasiPoll is poll_oneoff(in, out, n, nevents): every clock comes due at once, and the
// monotonic clock goes on by the longest of the waits.
func (i *Instance) wasiPoll(stack []uint64) {
	const subscription, event = 48, 32
	n := uint32(stack[2])
	if n == 0 || n > maxPolled {
		answer(stack, wasiInval)
		return
	}
	in, ok := i.memory.Read(uint32(stack[0]), n*subscription)
	out, ok2 := i.memory.Read(uint32(stack[1]), n*event)
	if !ok || !ok2 || !i.memory.WriteUint32Le(uint32(stack[3]), n) {
		answer(stack, wasiFault)
		return
	}
	until := i.mono
	events := make([]byte, n*event)
	for k := range n {
		s, e := in[k*subscription:], events[k*event:]
		copy(e, s[:8]) // user data
		e[10] = s[8]   // the kind
		if s[8] != 0 {
			binary.LittleEndian.PutUint16(e[8:], wasiNotSup)
			continue
		}
		timeout := int64(binary.LittleEndian.Uint64(s[24:]) &^ (1 << 63))
		if binary.LittleEndian.Uint16(s[40:])&1 == 0 {
			timeout = i.mono + min(timeout, maxSleep)
		}
		until = max(until, min(timeout, i.mono+maxSleep))
	}
	copy(out, events)
	i.mono = until
	answer(stack, wasiOK)
}

// maxSleep keeps the clock from running over: a hundred years.
const maxSleep = int64(100 * 365 * 24 * 3600 * 1e9)

// wasiNoFile answers that there is no such file.
func (i *Instance) wasiNoFile(stack []uint64) { answer(stack, wasiBadF) }
