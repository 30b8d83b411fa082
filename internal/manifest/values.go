package manifest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/nearest"
	"github.com/avx-platform/avxrt/router"
)

func (b *builder) start(at string, in *rawSubscriber, s *Subscriber) {
	if in.Start == nil {
		return
	}
	kind, arg, _ := strings.Cut(*in.Start, ":")
	const hint = `use "earliest", "latest", "last-per-topic", "seq:<n>" or "time:<RFC 3339>"`
	switch {
	case *in.Start == StartEarliest || *in.Start == StartLatest || *in.Start == StartLastPerTopic:
		s.Start.Kind = *in.Start
	case kind == StartSeq:
		n, err := strconv.ParseUint(arg, 10, 64)
		if err != nil || n == 0 {
			b.bad(at+".start", hint, "%q is no seq", arg)
		}
		s.Start = Start{Kind: StartSeq, Seq: abi.Seq(n)}
	case kind == StartTime:
		t, err := time.Parse(time.RFC3339, arg)
		if err != nil {
			b.bad(at+".start", hint, "%q is no RFC 3339 time", arg)
		}
		s.Start = Start{Kind: StartTime, Time: t}
	default:
		b.bad(at+".start", hint, "%q is unknown", *in.Start)
	}
}

// Bounds of what a subscriber may ask for.
const (
	maxTime       = time.Minute
	maxMemory     = 1 << 30
	minIdleMemory = 64 << 10
	maxIdleMemory = 1 << 40
	maxEmits      = abi.MaxBatchEmits
	maxEmitBytes  = abi.MaxBatchEmitBytes
	maxStateBytes = 16 << 20 // a run may stage twice as much, and commits it at once
	maxLogLines   = 10_000
	maxTimers     = 10_000_000 // some 300 bytes of the store each
	maxAttempts   = 1000
	minDepth      = 16
	maxDepth      = 1_900 // below what both engines stand
)

func (b *builder) limits(at string, in *rawSubscriber, s *Subscriber) {
	if v := in.Limits.Fuel; v != nil {
		s.Limits.Fuel = b.count(at+".limits.fuel", *v)
	}
	if v := in.Limits.Time; v != nil {
		s.Limits.Time = b.duration(at+".limits.time", *v, time.Millisecond, maxTime)
	}
	if v := in.Limits.Memory; v != nil {
		s.Limits.Memory = b.size(at+".limits.memory", *v, 64<<10, maxMemory)
	}
	b.between(at+".limits.depth", in.Limits.Depth, &s.Limits.Depth, minDepth, maxDepth)
	b.between(at+".limits.emits", in.Limits.Emits, &s.Limits.Emits, 1, maxEmits)
	b.between(at+".limits.log_lines", in.Limits.LogLines, &s.Limits.LogLines, 1, maxLogLines)
	b.between(at+".limits.timers", in.Limits.Timers, &s.Limits.Timers, 1, maxTimers)
	if v := in.Limits.EmitBytes; v != nil {
		s.Limits.EmitBytes = int(b.size(at+".limits.emit_bytes", *v, 1<<10, maxEmitBytes))
	}
	if v := in.Limits.StateBytes; v != nil {
		s.Limits.StateBytes = int(b.size(at+".limits.state_bytes", *v, 1<<10, maxStateBytes))
	}
}

// between takes a number that is given, within bounds.
func (b *builder) between(key string, given, field *int, low, high int) {
	if given == nil {
		return
	}
	if *field = *given; *given < low || *given > high {
		b.bad(key, "", "%d is not between %d and %d", *given, low, high)
	}
}

func (b *builder) retry(at string, in *rawSubscriber, s *Subscriber) {
	if v := in.Retry.Attempts; v != nil {
		if s.Retry.Attempts = *v; *v < 1 || *v > maxAttempts {
			b.bad(at+".retry.attempts", "", "%d is not between 1 and %d", *v, maxAttempts)
		}
	}
	if v := in.Retry.Backoff; v != nil {
		low, high, ok := strings.Cut(*v, "..")
		if !ok {
			b.bad(at+".retry.backoff", `write two durations, for example "100ms..30s"`, "%q has no ..", *v)
			return
		}
		s.Retry.Min = b.duration(at+".retry.backoff", low, time.Millisecond, 24*time.Hour)
		s.Retry.Max = b.duration(at+".retry.backoff", high, time.Millisecond, 24*time.Hour)
		if s.Retry.Max < s.Retry.Min {
			b.bad(at+".retry.backoff", "write the shorter one first", "%s is longer than %s", low, high)
		}
	}
}

func (b *builder) duration(key, text string, low, high time.Duration) time.Duration {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		b.bad(key, "write it like 250ms, 10s or 5m", "%q is no duration", text)
	case d < low || d > high:
		b.bad(key, "", "%s is not between %s and %s", text, low, high)
	}
	return d
}

// size reads a size of memory.
func (b *builder) size(key, text string, low, high int64) int64 {
	n, ok := parseSize(text)
	if !ok || n < low || n > high {
		b.bad(key, fmt.Sprintf("write it like %s, between %s and %s", printSize(high/64), printSize(low), printSize(high)), "%q is no size", text)
	}
	return n
}

// printSize writes a size as parseSize reads it.
func printSize(n int64) string {
	for _, unit := range []struct {
		name  string
		shift int
	}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}} {
		if n>>unit.shift<<unit.shift == n && n > 0 {
			return strconv.FormatInt(n>>unit.shift, 10) + unit.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// parseSize reads a number with a binary unit, or without.
func parseSize(text string) (int64, bool) {
	number, shift := text, 0
	for unit, s := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40} {
		if rest, ok := strings.CutSuffix(text, unit); ok {
			number, shift = rest, s
		}
	}
	n, err := strconv.ParseInt(number, 10, 62)
	return n << shift, err == nil && n > 0 && n<<shift>>shift == n
}

// log reads the settings of the store.
func (b *builder) log(in *raw, m *Manifest) {
	m.Log.Durability = b.setting("log.durability", in.Log.Durability, m.Log.Durability).value
	if m.Log.Durability != "durable" && m.Log.Durability != "accepted" {
		b.bad("log.durability", nearest.Hint(m.Log.Durability, "durable", "accepted"), "%q is unknown", m.Log.Durability)
	}
	m.Log.MinFree = b.diskSize("log.min_free", in.Log.MinFree)
	r := &m.Log.Retention
	r.MaxBytes = b.diskSize("log.retention.max_bytes", in.Log.Retention.MaxBytes)
	if v := b.setting("log.retention.max_age", in.Log.Retention.MaxAge, "").value; v != "" {
		r.MaxAge = b.duration("log.retention.max_age", v, time.Minute, maxAge)
	}
	for i, t := range in.Log.Retention.Topics {
		at := fmt.Sprintf("log.retention.topics[%d]", i)
		p, err := router.ParsePattern(t.Pattern)
		if err != nil {
			b.bad(at+".pattern", "", "%v", err)
		}
		r.Topics = append(r.Topics, TopicRetention{p, b.duration(at+".max_age", t.MaxAge, time.Minute, maxAge)})
	}
}

// maxAge is a hundred years: as good as for ever, and far from the end of a Duration.
const maxAge = 100 * 365 * 24 * time.Hour

// diskSize reads an optional size of files.
func (b *builder) diskSize(key string, file *string) int64 {
	text := b.setting(key, file, "").value
	if text == "" {
		return 0
	}
	n, ok := parseSize(text)
	if !ok || n < 1<<20 {
		b.bad(key, "write it like 100GiB, at least 1MiB", "%q is no size", text)
	}
	return n
}

// count reads a number with a decimal unit.
func (b *builder) count(key, text string) int64 {
	number, factor := text, int64(1)
	for unit, f := range map[string]int64{"K": 1e3, "M": 1e6, "G": 1e9} {
		if rest, ok := strings.CutSuffix(text, unit); ok {
			number, factor = rest, f
		}
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 1 {
		b.bad(key, "write it like 50M", "%q is no number of instructions", text)
	}
	return n * factor
}
