package sandbox

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// Config is what an instance is given for its life.
type Config struct {
	Subscriber string
	Limits     Limits
	Grants     func(topic string) bool // what it may emit; nil: nothing
	Conf       map[string]string       // the manifest's config
	OnLog      func(LogLine)           // nil: lines are dropped
	Adopted    int64                   // unix nanoseconds: the clock outside of events
}

// initTime bounds _initialize and avx_init: a Go guest's runtime takes a few milliseconds.
const initTime = 10 * time.Second

// Instance is a guest with its memory. Memory is a cache: the caller may close an
// instance after any run and make another.
type Instance struct {
	module    *Module
	config    Config
	limits    Limits
	ctx       context.Context // carries the instance to the host functions
	guest     api.Module
	memory    api.Memory
	linear    *limitedMemory
	run       api.Function
	stack     [1]uint64
	meter     meter
	current   atomic.Uint64 // seq of the event in hand, for the watchdog
	stdout    lineWriter
	stderr    lineWriter
	words     lastWords
	dropped   int // log lines of the run
	dead      bool
	migrating bool  // avx_migrate runs, which writes outside of an event
	startFuel int64 // what _initialize and avx_init burnt
	account   account

	batch   Batch
	staged  staged
	random  randomness
	mono    int64 // the monotonic clock: 1 s at the start, 1 µs a read
	trapped *Trap // set by a host function before it ends the run
}

type instanceKey struct{}

// instanceOf finds the instance that a host function is called for. The value is the
// outermost of the context, so this is one comparison.
func instanceOf(ctx context.Context) *Instance { return ctx.Value(instanceKey{}).(*Instance) }

// Instantiate makes an instance and runs _initialize and avx_init, which may read conf and
// state. The error says what the guest did wrong.
func (m *Module) Instantiate(_ context.Context, config Config, state StateReader) (*Instance, error) {
	i := &Instance{module: m, config: config, limits: config.Limits.withDefaults(), mono: int64(time.Second)}
	if need := int64(m.info.Memory.Min) << 16; need > i.limits.Memory {
		return nil, refusal(m.name, fmt.Sprintf("it needs %d KiB of memory at the start, limits.memory allows %d KiB", need>>10, i.limits.Memory>>10))
	}
	i.stdout, i.stderr = lineWriter{i: i, level: 2}, lineWriter{i: i, level: 3}
	i.meter.depth = uint64(m.depth)
	if d := i.limits.Depth; d > 0 {
		i.meter.depth = uint64(min(m.depth, d))
	}
	i.ctx = context.WithValue(context.Background(), instanceKey{}, i)
	i.account.held, i.account.fixed = &m.engine.held, heapBytes(&m.info)
	i.batch = Batch{State: state, ReadOnly: true, Next: func() *abi.Event { return nil }}
	i.staged.reset()
	if err := i.start(); err != nil {
		failed := refusal(m.name, err.Error())
		failed.Fuel = i.meter.used()
		return nil, errors.Join(failed, i.Close(context.Background()))
	}
	return i, nil
}

func (i *Instance) start() error {
	i.module.engine.watch.add(i)
	i.meter.begin(initFuel, initTime)
	defer i.meter.end()
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions().
		WithWalltime(i.walltime, sys.ClockResolution(time.Microsecond)).
		WithNanotime(i.nanotime, sys.ClockResolution(time.Microsecond))
	allocator, linear, err := i.module.engine.allocator(i.limits.Memory)
	if err != nil {
		return err
	}
	i.linear = linear
	ctx := experimental.WithMemoryAllocator(i.ctx, allocator)
	guest, err := i.module.wasm.InstantiateModule(context.WithValue(ctx, instanceKey{}, i), i.module.compiled, config)
	if err != nil {
		return errors.New(i.explain(err).Message)
	}
	i.guest = guest
	i.ready(guest)
	i.meter.counter.Set(withFuel(i.meter.depth, fuelLeft(i.meter.counter.Get())))
	i.newStack()
	for _, name := range []string{abi.ExportInitialize, abi.ExportInit} {
		f := guest.ExportedFunction(name)
		if f == nil {
			continue
		}
		i.stack[0] = 0
		if err := f.CallWithStack(i.ctx, i.stack[:]); err != nil {
			return fmt.Errorf("%s: %s", name, i.explain(err).Message)
		}
		if name == abi.ExportInit && i.stack[0] != 0 {
			return fmt.Errorf("%s returned %d", name, int32(i.stack[0]))
		}
	}
	i.startFuel = i.meter.used()
	i.look(0, lookRarely)
	return nil
}

// StartFuel is what the start of the instance burnt.
func (i *Instance) StartFuel() int64 { return i.startFuel }

// ready takes what the host needs of the guest.
func (i *Instance) ready(guest api.Module) {
	i.memory = guest.Memory()
	if i.meter.counter == nil {
		i.meter.counter, _ = guest.ExportedGlobal(wasmbin.MeterCounter).(api.MutableGlobal)
		i.meter.counter.Set(withFuel(i.meter.counter.Get(), 0) | 0)
	}
}

// Run gives the guest the events of b and returns what it made of them. The faults of the
// guest are in the result. A run is not interrupted by the end of ctx: the event in hand
// has its own limit.
func (i *Instance) Run(_ context.Context, b Batch) Result {
	start := time.Now()
	i.meter.begin(i.limits.Fuel, i.limits.Time)
	i.batch, i.trapped, i.words, i.dropped = b, nil, lastWords{}, 0
	i.staged.reset()
	i.stack[0] = 0
	err := i.run.CallWithStack(i.ctx, i.stack[:])
	i.meter.end()
	result := i.finish(err, int32(i.stack[0]))
	result.Elapsed, result.Fuel, result.Dropped = time.Since(start), i.meter.spent+i.meter.used(), i.dropped
	i.dead = i.dead || result.Failure != nil || result.Trap != nil
	i.batch = Batch{} // until the next run nothing of this one is kept
	i.staged.reset()
	i.look(result.Elapsed, lookRarely)
	return result
}

// finish turns the end of a run into its result.
func (i *Instance) finish(err error, code int32) Result {
	s := &i.staged
	var failure *Failure
	var trap *Trap
	switch {
	case err != nil:
		trap = i.explain(err)
	case s.failure != nil:
		failure = s.failure
	case code != 0 && s.current != nil:
		failure = &Failure{Code: abi.FailRetry, Message: fmt.Sprintf("avx_run returned %d: the guest declares itself broken", code)}
	case code != 0:
		trap = &Trap{Kind: TrapExit, Message: fmt.Sprintf("avx_run returned %d outside of any event", code)}
	case !s.asked: // it would be run again at once, and for ever
		trap = &Trap{Kind: TrapExit, Message: "avx_run returned without asking for an event; it must call next until that answers 0"}
	case s.held: // it never saw the event, so it cannot have handled it
		trap = &Trap{Kind: TrapExit, Message: fmt.Sprintf("avx_run returned although the event of %d bytes did not fit into its buffer; give next a larger one", abi.FrameLen(s.current))}
	default:
		s.fold()
	}
	return Result{
		Pulled: s.pulled, Handled: s.handled, Emits: s.emits, Writes: s.sortedWrites(), Reply: s.reply,
		Failure: failure, Trap: trap,
	}
}

// explain turns an engine's error into a trap.
func (i *Instance) explain(err error) *Trap {
	i.dead = true
	trap := i.trapped
	if trap == nil {
		trap = i.explainError(err)
	}
	if !i.meter.fresh { // else the account is still that of the event before
		trap.Fuel = i.meter.used()
	}
	return trap
}

func (i *Instance) explainError(err error) *Trap {
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		message := fmt.Sprintf("the guest ended itself with code %d", exit.ExitCode())
		if i.words.reason != "" {
			message += ": " + i.words.String()
		}
		return &Trap{Kind: TrapExit, Message: message}
	}
	trap := &Trap{Kind: TrapWasm, Message: firstLine(err.Error()), Where: i.module.where(err.Error())}
	if trap.Message == unreachable && i.words.reason != "" { // how a program in Go ends when it has said why
		trap.Message = i.words.String()
		return trap
	}
	if trap.Where != "" {
		trap.Message += " in " + trap.Where
	}
	return trap
}

// unreachable is how the engine calls the instruction.
const unreachable = "unreachable"

// Usable says whether the instance may run again.
func (i *Instance) Usable() bool { return !i.dead }

// MemoryBytes returns the size of the guest's linear memory.
func (i *Instance) MemoryBytes() int64 {
	if i.memory == nil {
		return 0
	}
	return int64(i.memory.Size())
}

// Close releases the instance. It must not be running.
func (i *Instance) Close(ctx context.Context) error {
	i.dead = true
	i.module.engine.watch.remove(i)
	var err error
	if i.guest != nil {
		err = i.guest.Close(ctx)
	}
	if i.linear != nil {
		i.linear.Free() // the engine does not where instantiating failed
		i.linear, i.memory = nil, nil
	}
	i.account.set(0)
	return err
}

// now is the guest's clock: the event's time, or the time of adoption outside of events.
func (i *Instance) now() int64 {
	if i.staged.current != nil {
		return i.staged.current.Time
	}
	return i.config.Adopted
}

func (i *Instance) walltime() (sec int64, nsec int32) {
	t := time.Unix(0, i.now())
	return t.Unix(), int32(t.Nanosecond())
}

// nanotime gains 1 µs a read: a constant clock makes Go's Sleep hang.
func (i *Instance) nanotime() int64 {
	i.mono += int64(time.Microsecond)
	return i.mono
}

// randomness is a stream that depends on subscriber and event alone.
type randomness struct {
	source *rand.ChaCha8
	seq    abi.Seq
}

// fill gives random bytes: within an event seeded by subscriber and seq, outside by
// subscriber and module. Guests must not make secrets from them, and the guide says so.
func (i *Instance) fill(b []byte) {
	var seq abi.Seq
	if i.staged.current != nil {
		seq = i.staged.current.Seq
	}
	if i.random.source == nil || i.random.seq != seq {
		seed := binary.BigEndian.AppendUint64([]byte(i.config.Subscriber+"\x00"), uint64(seq))
		if seq == 0 {
			seed = append(seed, i.module.digest...)
		}
		i.random = randomness{rand.NewChaCha8(sha256.Sum256(seed)), seq}
	}
	_, _ = i.random.source.Read(b) // never fails
}

// staged is what a run has piled up.
type staged struct {
	pulled, handled int
	emits           []Emit
	emitBytes       int
	timers          int // set, and not replaced
	stateBytes      int
	writes          map[string]Write
	reply           []byte

	current *abi.Event // in hand; nil: none
	asked   bool       // the guest called next
	ended   bool       // the guest was told that there are no more
	held    bool       // current did not fit into the guest's buffer and is given by the next call
	failure *Failure
	event   stagedEvent
}

// stagedEvent is what the event in hand has staged.
type stagedEvent struct {
	emits      []Emit
	emitBytes  int
	versions   map[string]abi.Version // that the emits come to, of the keys for which one was expected
	timers     int
	writes     map[string]Write
	stateBytes int
	reply      []byte
	logLines   int
}

func (s *staged) reset() { *s = staged{} }

// fold acknowledges the event in hand.
func (s *staged) fold() {
	if s.current == nil {
		return
	}
	s.handled++
	s.emits = append(s.emits, s.event.emits...)
	s.emitBytes += s.event.emitBytes
	s.timers += s.event.timers
	s.stateBytes += s.event.stateBytes
	if s.writes == nil {
		s.writes = s.event.writes
	} else {
		for k, w := range s.event.writes {
			s.writes[k] = w
		}
	}
	if s.event.reply != nil {
		s.reply = s.event.reply
	}
	s.current, s.event = nil, stagedEvent{}
}

// follows says whether an emit can become the version that it expects, after those of the same
// event. What other events emitted, of this batch or in the log, is seen when the batch is
// committed: an answer that depended on it would be another one when the event is handled again.
func (s *stagedEvent) follows(ev *abi.Event) bool {
	before, known := s.versions[ev.Key]
	version := ev.Version
	switch {
	case !known && version == 0:
		return true
	case known && version == 0:
		version = before + 1
	case known && version != before+1:
		return false
	}
	if s.versions == nil {
		s.versions = map[string]abi.Version{}
	}
	s.versions[ev.Key] = version
	return true
}

func (s *staged) sortedWrites() []Write {
	out := make([]Write, 0, len(s.writes))
	for _, w := range s.writes {
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b Write) int { return cmp.Compare(string(a.Key), string(b.Key)) })
	return out
}

// lookup finds a write of this run.
func (s *staged) lookup(key []byte) (Write, bool) {
	if w, ok := s.event.writes[string(key)]; ok {
		return w, true
	}
	w, ok := s.writes[string(key)]
	return w, ok
}
