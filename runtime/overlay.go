package runtime

import (
	"maps"
	"slices"
	"strings"

	"github.com/avx-platform/avxrt/internal/sandbox"
)

// overlay is keyed state with writes laid over it that nobody else sees.
type overlay struct {
	below  sandbox.StateReader
	writes map[string]sandbox.Write
	err    error // the first of value
}

func newOverlay(below sandbox.StateReader) *overlay {
	return &overlay{below: below, writes: map[string]sandbox.Write{}}
}

// Get returns key's value.
func (o *overlay) Get(key []byte) (value []byte, ok bool, err error) {
	if w, ok := o.writes[string(key)]; ok {
		return w.Value, !w.Delete, nil
	}
	return o.below.Get(key)
}

// Scan calls fn for the keys with prefix above after, ascending, until fn says false.
func (o *overlay) Scan(prefix, after []byte, fn func(key, value []byte) bool) error {
	over := slices.Sorted(maps.Keys(o.writes))
	over = slices.DeleteFunc(over, func(key string) bool {
		return !strings.HasPrefix(key, string(prefix)) || len(after) > 0 && key <= string(after)
	})
	open := true
	give := func(key string) {
		if w := o.writes[key]; open && !w.Delete {
			open = fn([]byte(key), w.Value)
		}
	}
	err := o.below.Scan(prefix, after, func(key, value []byte) bool {
		for ; open && len(over) > 0 && over[0] < string(key); over = over[1:] {
			give(over[0])
		}
		switch {
		case !open:
		case len(over) > 0 && over[0] == string(key):
			give(over[0])
			over = over[1:]
		default:
			open = fn(key, value)
		}
		return open
	})
	for ; open && err == nil && len(over) > 0; over = over[1:] {
		give(over[0])
	}
	return err
}

// value returns what a key holds; an error is kept for later.
func (o *overlay) value(key string) ([]byte, bool) {
	value, ok, err := o.Get([]byte(key))
	if err != nil && o.err == nil {
		o.err = err
	}
	return value, ok
}
