package manifest

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Type is what a key takes.
type Type string

// The types.
const (
	Table    Type = "table"
	Tables   Type = "tables"   // written [[…]], any number of them
	Text     Type = "text"     // a string
	Texts    Type = "texts"    // a list of strings
	TextMap  Type = "text map" // a table of strings under keys of one's own
	Switch   Type = "switch"   // true or false
	Integer  Type = "integer"
	Number   Type = "number"   // a float
	Count    Type = "count"    // a string: a number, which may end with K, M or G
	Size     Type = "size"     // a string: bytes, which may end with KiB, MiB, GiB or TiB
	Duration Type = "duration" // a string: 250ms, 10s, 5m, 720h
)

// Key is one key of the manifest.
type Key struct {
	Path      string // without indices: subscriber.limits.fuel
	Type      Type
	Default   string   // as it is written; "": none
	Low, High string   // the bounds, both allowed, as they are written; "": none
	Words     []string // the values there are; nil: others, too
	Required  bool     // in its table
	Env       string   // the variable that sets it; "": none does
	Doc       string
}

// Parent and Name split the path.
func (k Key) Parent() string { return k.Path[:max(strings.LastIndexByte(k.Path, '.'), 0)] }

// Name is the last part of the path.
func (k Key) Name() string { return k.Path[strings.LastIndexByte(k.Path, '.')+1:] }

// Keys returns every key of this version, tables before what is in them.
func Keys() []Key {
	m, s := Default(), defaultSubscriber()
	out := make([]Key, len(keyTable))
	for i, k := range keyTable {
		out[i] = k.Key
		if k.byDefault != nil {
			out[i].Default = k.byDefault(m, &s)
		}
		if !strings.HasPrefix(k.Path, "subscriber") && !strings.HasPrefix(k.Path, "log.retention.topics") && k.Type != Table {
			out[i].Env = envKey(k.Path)
		}
	}
	return out
}

// Later returns the keys that the design names and this version refuses.
func Later() []string { return slices.Clone(laterKeys) }

// knownKeys are the keys of this version, as paths without indices.
var knownKeys = func() (paths []string) {
	for _, k := range keyTable {
		paths = append(paths, k.Path)
	}
	return paths
}()

// row is a key with how its default is found.
type row struct {
	Key
	byDefault func(m *Manifest, s *Subscriber) string
}

func number[T int | int64](n T) string { return strconv.FormatInt(int64(n), 10) }

// printDuration writes a duration as people do: 30s, not 30s0ms, 720h and not 720h0m0s.
func printDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// printCount writes a number of instructions as count reads it.
func printCount(n int64) string {
	for _, unit := range []struct {
		name string
		of   int64
	}{{"G", 1e9}, {"M", 1e6}, {"K", 1e3}} {
		if n >= unit.of && n%unit.of == 0 {
			return number(n/unit.of) + unit.name
		}
	}
	return number(n)
}
