package sandbox

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// hostFunction is one function of the contract.
type hostFunction struct {
	params  string // one letter a parameter: i for i32, l for i64
	results string
	fuel    int // its price, besides the crossing and the bytes
	call    func(i *Instance, stack []uint64)
}

// hostFunctions is the import module of the contract. A test walks it with bad pointers.
var hostFunctions = map[string]hostFunction{
	"next":    {"ii", "i", 0, (*Instance).hostNext},
	"fail":    {"iii", "", 400, (*Instance).hostFail},
	"emit":    {"ii", "i", 400, (*Instance).hostEmit},
	"reply":   {"ii", "i", 100, (*Instance).hostReply},
	"kv_get":  {"iiii", "i", 800, (*Instance).hostGet},
	"kv_set":  {"iiii", "i", 400, (*Instance).hostSet},
	"kv_del":  {"ii", "i", 400, (*Instance).hostDel},
	"kv_scan": {"iiiiii", "i", 3000, (*Instance).hostScan},
	"conf":    {"iiii", "i", 100, (*Instance).hostConf},
	"log":     {"iii", "", 400, (*Instance).hostLog},
	"now":     {"", "l", 0, (*Instance).hostNow},
	"rand":    {"ii", "", 100, (*Instance).hostRand},
}

// abortFunction is what AssemblyScript imports besides, to say why it ends.
var abortFunction = hostFunction{"iiii", "", 0, (*Instance).hostAbort}

const abortModule, abortName = "env", "abort"

var letterTypes = map[rune]api.ValueType{'i': api.ValueTypeI32, 'l': api.ValueTypeI64}

// signature prints the type as package wasmbin does.
func (f hostFunction) signature() string {
	names := func(letters string) string {
		var parts []string
		for _, l := range letters {
			parts = append(parts, api.ValueTypeName(letterTypes[l]))
		}
		return "(" + strings.Join(parts, " ") + ")"
	}
	return names(f.params) + " -> " + names(f.results)
}

func valueTypes(letters string) []api.ValueType {
	types := make([]api.ValueType, 0, len(letters))
	for _, l := range letters {
		types = append(types, letterTypes[l])
	}
	return types
}

// adapt makes the function what the engine calls.
func (f hostFunction) adapt() api.GoModuleFunc {
	return func(ctx context.Context, guest api.Module, stack []uint64) {
		i := instanceOf(ctx)
		if i.memory == nil { // the guest has a start function, which runs before the instance is there
			i.ready(guest)
		}
		i.meter.debt = int64(f.fuel)
		f.call(i, stack)
		i.settle()
	}
}

// instantiateHost offers the contract to the modules of a runtime.
func instantiateHost(ctx context.Context, r wazero.Runtime) error {
	b := r.NewHostModuleBuilder(abi.Module)
	for name, f := range hostFunctions {
		b = b.NewFunctionBuilder().WithGoModuleFunction(f.adapt(), valueTypes(f.params), valueTypes(f.results)).Export(name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return err
	}
	_, err := r.NewHostModuleBuilder(abortModule).NewFunctionBuilder().
		WithGoModuleFunction(abortFunction.adapt(), valueTypes(abortFunction.params), nil).Export(abortName).Instantiate(ctx)
	if err != nil {
		return err
	}
	refill := hostFunction{"", "", 0, (*Instance).hostRefill}
	_, err = r.NewHostModuleBuilder(wasmbin.MeterModule).NewFunctionBuilder().
		WithGoModuleFunction(refill.adapt(), nil, nil).Export(wasmbin.MeterRefill).Instantiate(ctx)
	return err
}

// errStop ends a run from inside of a host function; Instance.trapped says why.
var errStop = errors.New("the guest was stopped")

// trap ends the run. A panic is how the engine wants to hear it from a host function; it
// recovers it at once.
func (i *Instance) trap(kind TrapKind, message string) {
	i.trapped = &Trap{Kind: kind, Message: message, Timeout: kind == TrapTimeout}
	panic(errStop)
}

// view returns the guest's bytes at stack[at] (pointer) and stack[at+1] (length). Both are
// unsigned 32-bit numbers; what lies outside of the memory is a bug of the guest and traps.
// The view is valid until the guest runs again.
func (i *Instance) view(stack []uint64, at int) []byte {
	return i.bytes(uint32(stack[at]), uint32(stack[at+1]))
}

func (i *Instance) bytes(ptr, length uint32) []byte {
	b, ok := i.memory.Read(ptr, length)
	if !ok {
		i.trap(TrapPointer, outsideMemory)
	}
	i.oweBytes(len(b))
	return b
}

const outsideMemory = "a pointer outside of the memory was given to the host"

// roomAt is how many bytes of memory there are from ptr on.
func (i *Instance) roomAt(ptr uint32) int { return int(max(int64(i.memory.Size())-int64(ptr), 0)) }

// answer puts a result on the stack.
func answer(stack []uint64, n int32) { stack[0] = api.EncodeI32(n) }

// give copies value into the guest's buffer (pointer and capacity at stack[at]) and answers
// its length; if it does not fit, nothing is written and the answer is the size needed.
func (i *Instance) give(stack []uint64, at int, value []byte) {
	buf, capacity := uint32(stack[at]), int32(stack[at+1])
	if capacity >= 0 && len(value) <= int(capacity) {
		copy(i.bytes(buf, uint32(len(value))), value)
	}
	answer(stack, int32(len(value)))
}

// hostNext is next(buf, cap).
func (i *Instance) hostNext(stack []uint64) {
	s := &i.staged
	s.asked = true
	buf, capacity := uint32(stack[0]), int32(stack[1])
	if s.failure != nil || !s.held && !i.advance() { // given up: also what did not fit is not given again
		answer(stack, 0)
		return
	}
	size := abi.FrameLen(s.current)
	if s.held = size > int(capacity); !s.held {
		abi.PutFrame(i.bytes(buf, uint32(size)), s.current)
	}
	answer(stack, int32(size))
}

// advance acknowledges the event in hand and takes the next one; false ends the run.
func (i *Instance) advance() bool {
	s := &i.staged
	s.fold()
	if len(s.emits) >= abi.MaxBatchEmits || s.emitBytes >= abi.MaxBatchEmitBytes || s.stateBytes >= i.limits.StateBytes {
		return false
	}
	if s.ended { // it asks again: no new budget for that, or it could ask for ever
		return false
	}
	ev := i.batch.Next()
	i.meter.fresh = true
	if ev == nil {
		s.ended = true
		return false
	}
	s.current = ev
	s.pulled++
	i.words = lastWords{} // what was said about another event explains nothing
	i.random.source = nil // and its randomness begins anew, also when it is run again
	i.current.Store(uint64(ev.Seq))
	return true
}

// maxMessage bounds what is kept of a guest's words.
const maxMessage = 1024

// hostFail is fail(code, msg, len). Outside of an event there is nothing to fail.
func (i *Instance) hostFail(stack []uint64) {
	code := abi.FailCode(int32(stack[0]))
	text := i.view(stack, 1)
	if i.staged.current == nil || i.staged.failure != nil {
		return
	}
	i.owe(min(len(text), maxMessage) / logBytesPerFuel)
	message := clean(text, maxMessage)
	if code < abi.FailRetry || code > abi.FailStop && code < abi.FailApplication {
		i.trap(TrapWasm, "fail was called with a code that the contract does not have")
	}
	i.staged.failure = &Failure{Code: code, Message: message}
	i.staged.event = stagedEvent{logLines: i.staged.event.logLines}
}

// writable answers the status that keeps the guest from writing, 0 if it may.
func (i *Instance) writable() abi.Status {
	switch {
	case i.batch.ReadOnly:
		return abi.ReadOnly
	case i.staged.current == nil || i.staged.failure != nil:
		return abi.NoEvent
	}
	return 0
}

// maxGuestHeaders leaves room for what the host adds, below abi.MaxHeadersBytes.
const maxGuestHeaders = 4 << 10

// hostEmit is emit(frame, len).
func (i *Instance) hostEmit(stack []uint64) {
	answer(stack, int32(i.emit(i.view(stack, 0))))
}

func (i *Instance) emit(frame []byte) abi.Status {
	if status := i.writable(); status != 0 {
		return status
	}
	s := &i.staged
	if len(frame) > i.limits.EmitBytes {
		return abi.TooLarge
	}
	if len(s.event.emits) >= i.limits.Emits || s.event.emitBytes+len(frame) > i.limits.EmitBytes {
		return abi.Quota
	}
	e := Emit{Cause: s.pulled - 1}
	if abi.DecodeFrame(bytes.Clone(frame), &e.Event) != nil {
		return abi.Invalid
	}
	ev := &e.Event
	ev.ID, ev.Source = "", "" // the host's, whatever the frame says
	if field, _ := ev.CheckText(); field != "" {
		return abi.Invalid
	}
	e.timer(s.current.Time)
	switch {
	case e.Cancel:
	case len(ev.Key) > abi.MaxKeyBytes || len(ev.ContentType) > abi.MaxKeyBytes || len(ev.Headers) > maxGuestHeaders:
		return abi.TooLarge
	case ev.Key == "" && ev.Version != 0 || ev.Topic == "":
		return abi.Invalid
	case e.Due != 0 && (ev.Version != 0 || ev.Time < 0 || len(e.Timer) > abi.MaxTimerName):
		return abi.Invalid
	case i.config.Grants == nil || !i.config.Grants(ev.Topic):
		return abi.Denied
	}
	switch {
	case e.Due != 0 && !i.mayWait(e.Timer):
		return abi.Quota
	case e.Due != 0:
		s.event.timers++
	case !e.Cancel && !s.event.follows(ev):
		return abi.Conflict
	}
	s.event.emits = append(s.event.emits, e)
	s.event.emitBytes += len(frame)
	return 0
}

// mayWait says whether one more timer may, or this one, which replaces that of its name.
func (i *Instance) mayWait(name string) bool {
	if i.batch.Timers+i.staged.timers+i.staged.event.timers < i.limits.Timers {
		return true
	}
	return name != "" && i.batch.HasTimer != nil && i.batch.HasTimer(name)
}

// timer says whether e is one: its time lies ahead, or it has a name for one and a time at
// all. A name without time and data cancels.
func (e *Emit) timer(now int64) {
	name, named := e.Event.Headers.Get(abi.HeaderTimer)
	switch at := e.Event.Time; {
	case named && at == 0 && len(e.Event.Data) == 0:
		e.Timer, e.Cancel = name, true
	case at > now || named && at != 0:
		e.Timer, e.Due = name, at
	}
}

// hostReply is reply(data, len).
func (i *Instance) hostReply(stack []uint64) {
	data := i.view(stack, 0)
	switch {
	case i.staged.current == nil || i.staged.failure != nil:
		answer(stack, int32(abi.NoEvent))
	case len(data) > abi.MaxBatchEmitBytes:
		answer(stack, int32(abi.TooLarge))
	default:
		i.staged.event.reply = bytes.Clone(data)
		answer(stack, 0)
	}
}

// hostConf is conf(k, klen, buf, cap).
func (i *Instance) hostConf(stack []uint64) {
	key := i.view(stack, 0)
	value, ok := i.config.Conf[string(key)]
	if string(key) == "avx.abi" {
		value, ok = hostVersion, true
	}
	if !ok {
		answer(stack, int32(abi.NotFound))
		return
	}
	i.give(stack, 2, []byte(value))
}

// hostLog is log(level, msg, len).
func (i *Instance) hostLog(stack []uint64) {
	level, message := int(int32(stack[0])), i.view(stack, 1)
	i.owe(min(len(message), 4*maxMessage) / logBytesPerFuel)
	if bytes.HasPrefix(message, []byte(rustPanic)) {
		i.words.hear(clean(message, maxMessage))
	}
	i.logLine(level, message)
}

func (i *Instance) logLine(level int, message []byte) {
	n := &i.staged.event.logLines
	if *n++; *n > i.limits.LogLines {
		i.dropped++
		return
	}
	if i.config.OnLog == nil {
		return
	}
	line := LogLine{Level: min(max(level, 0), 4), Message: clean(message, 4*maxMessage)}
	if *n == i.limits.LogLines {
		line.Message += " … further lines of this event are dropped (limits.log_lines)"
	}
	if i.staged.current != nil {
		line.Seq = i.staged.current.Seq
	}
	i.config.OnLog(line)
}

// clean makes a guest's words safe to print: no control characters, valid UTF-8, bounded.
func clean(b []byte, limit int) string {
	b = b[:min(len(b), limit)]
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' {
			return ' '
		}
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(string(b), "\ufffd"))
}

// hostNow is now().
func (i *Instance) hostNow(stack []uint64) { stack[0] = uint64(i.now()) }

// maxRandom bounds one call, so that it stays a short one.
const maxRandom = 64 << 10

// hostRand is rand(buf, len).
func (i *Instance) hostRand(stack []uint64) {
	b := i.view(stack, 0)
	if len(b) > maxRandom {
		i.trap(TrapWasm, "rand was asked for more than 64 KiB at once")
	}
	i.owe(len(b) / randomBytesPerFuel)
	i.fill(b)
}

// lineWriter turns what the guest prints into log lines.
type lineWriter struct {
	i     *Instance
	level int
	rest  []byte
}

// lineFuel is the price of a printed line, besides its bytes.
const lineFuel = 200

// write takes bytes, for which the caller has paid, and passes whole lines on.
func (w *lineWriter) write(b []byte) {
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			break
		}
		w.i.owe(lineFuel)
		w.i.pay()
		line := append(w.rest, b[:end]...)
		if w.level == 3 {
			w.i.words.hear(clean(line, maxMessage))
		}
		w.i.logLine(w.level, line)
		w.rest, b = w.rest[:0], b[end+1:]
	}
	if room := 4*maxMessage - len(w.rest); room > 0 {
		w.rest = append(w.rest, b[:min(len(b), room)]...)
	}
}
