package manifest

import (
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/router"
)

// Manifest is what a node runs.
type Manifest struct {
	Path        string // absolute path of the file, "" if there is none
	Node        Node
	HTTP        HTTP
	Log         Log
	Plugins     Plugins
	Subscribers []Subscriber
}

// Node is who and where.
type Node struct {
	ID   string // default node-1; part of the source of what subscribers emit
	Data string // folder of the store; default ./data
}

// HTTP is the API.
type HTTP struct {
	Listen string // host:port, loopback; default 127.0.0.1:7080; port 0 takes a free one
}

// Log is the store.
type Log struct {
	Durability string // of publishes that do not say: durable (default) or accepted
	MinFree    int64  // bytes of the disk that are left alone; 0: the log's default
	Retention  Retention
}

// Retention says which events may leave the log; zeros: none.
type Retention struct {
	MaxAge   time.Duration
	MaxBytes int64
	Topics   []TopicRetention
}

// TopicRetention lets events of some topics leave earlier.
type TopicRetention struct {
	Pattern router.Pattern
	MaxAge  time.Duration
}

// Plugins is where modules come from.
type Plugins struct {
	Dir   string // default ./plugins
	Watch bool   // reload when the manifest or a module changes; default true

	// IdleMemory is how many bytes all instances may hold before those that wait for events
	// are given back, the ones that waited longest first. A subscriber whose instance is gone gets a new one with its
	// next event: that takes some 0.1 ms, for a guest in Go some 3 ms. Default 256 MiB.
	IdleMemory int64
}

// Subscriber is a module bound to patterns.
type Subscriber struct {
	Name   string
	Module string // path inside of Plugins.Dir, with slashes
	SHA256 string // hex digest that the module must have, "" for any
	Topics []router.Pattern
	Emits  []router.Pattern // what it may emit; nothing else
	Start  Start
	// Partitions is how many events of different keys may be handled at the same time, 1
	// (default) to MaxPartitions. Events of a key stay in order. State is shared: a run that
	// read what another partition changes meanwhile is thrown away and done again.
	Partitions int
	// StateVersion is the version of the state that the module works on, 1 (default) to
	// MaxStateVersion. A module that cannot read what the one before it wrote gets another: its
	// state is migrated or built anew, see package runtime.
	StateVersion int
	Limits       Limits
	Retry        Retry
	Swap         Swap
	OnPoison     string            // park (default), block, skip or stop
	Verify       float64           // share of runs that are done again on the interpreter and compared, 0 (default) to 1
	Config       map[string]string // what the guest reads by conf
}

// MaxPartitions is how many partitions a subscriber may have.
const MaxPartitions = 64

// MaxStateVersion bounds a subscriber's state_version.
const MaxStateVersion = 1 << 30

// Where a new subscriber begins.
const (
	StartEarliest = "earliest"
	StartLatest   = "latest"
	StartSeq      = "seq"
	StartTime     = "time"

	// StartLastPerTopic is the youngest event of each topic that there is when the subscriber
	// is adopted, in the order of the log, and then all that follow.
	StartLastPerTopic = "last-per-topic"
)

// Start is where a subscriber begins when the store has no cursor for it.
type Start struct {
	Kind string // one of the constants; default earliest
	Seq  abi.Seq
	Time time.Time
}

// Limits bound one event's handling.
type Limits struct {
	Fuel       int64         // about one for each instruction; default 1 G, some 300 ms
	Time       time.Duration // by the clock; default 1 s
	Memory     int64         // bytes of linear memory; default 16 MiB
	Depth      int           // of recursion: 1 a frame, more for large frames; default 1,900, which is the most
	Emits      int           // default 256
	EmitBytes  int           // of all frames emitted; default 1 MiB, which is the most
	StateBytes int           // keys and values written, and 64 for each write; default 4 MiB
	LogLines   int           // what is over is counted and dropped; default 64
	Timers     int           // of the subscriber that wait; default 100,000
}

// Retry is how an event is tried again.
type Retry struct {
	Attempts int           // default 5
	Min, Max time.Duration // of the wait in between; default 100 ms and 30 s
}

// How a new module goes into service.
const (
	SwapImmediate = "immediate" // at once
	SwapShadow    = "shadow"    // after a rehearsal against the present one
	SwapCanary    = "canary"    // at once, and back if one of its first events fails
)

// RequireSame makes a rehearsal refuse a module that emits or writes something else.
const RequireSame = "same"

// Swap is how a new module goes into service.
type Swap struct {
	Mode    string // one of the constants; default immediate
	Events  int    // of the rehearsal or the trial; default 1,000
	Require string // of a rehearsal: RequireSame, or "" (default): what is emitted and written may differ
}

// LookupEnv gives settings of the environment, as os.LookupEnv does.
type LookupEnv func(key string) (value string, ok bool)

// Default returns the manifest of an empty file, with paths as in the text.
func Default() *Manifest {
	return &Manifest{
		Node:    Node{ID: "node-1", Data: "data"},
		HTTP:    HTTP{Listen: "127.0.0.1:7080"},
		Log:     Log{Durability: "durable"},
		Plugins: Plugins{Dir: "plugins", Watch: true, IdleMemory: 256 << 20},
	}
}

func defaultSubscriber() Subscriber {
	return Subscriber{
		Start:      Start{Kind: StartEarliest},
		Partitions: 1, StateVersion: 1,
		Limits: Limits{Fuel: 1_000_000_000, Time: time.Second, Memory: 16 << 20, Depth: maxDepth, Emits: 256, EmitBytes: maxEmitBytes, StateBytes: 4 << 20, LogLines: 64, Timers: 100_000},
		Retry:  Retry{Attempts: 5, Min: 100 * time.Millisecond, Max: 30 * time.Second},
		Swap:   Swap{Mode: SwapImmediate, Events: 1000}, OnPoison: "park",
	}
}
