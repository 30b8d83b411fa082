package manifest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// filler puts what the TOML library read into a shape (raw, rawCases). The library itself ends
// at the first value of another type; here each is told with what to write instead, and left
// out, so that the rest is looked at as well.
type filler struct {
	*report
	words *vocabulary
	at    map[string]position
	told  map[string]bool // paths of the values left out
}

// fill sets to, which stands for the key at path, from a value. known is path without indices.
func (f *filler) fill(path, known string, value any, to reflect.Value) {
	switch to.Kind() {
	case reflect.Pointer:
		made := reflect.New(to.Type().Elem())
		if f.fill(path, known, value, made.Elem()); !f.told[path] {
			to.Set(made)
		}
	case reflect.Struct:
		f.table(path, known, value, to)
	case reflect.Map:
		f.texts(path, known, value, to)
	case reflect.Slice:
		f.list(path, known, value, to)
	default:
		if n, ok := value.(int64); ok && to.Kind() == reflect.Float64 {
			value = float64(n)
		}
		v := reflect.ValueOf(value)
		if v.Kind() != to.Kind() && !(v.Kind() == reflect.Int64 && to.Kind() == reflect.Int) {
			f.mistyped(path, known, value, to.Type())
			return
		}
		to.Set(v.Convert(to.Type()))
	}
}

// table fills a struct. Keys that the file does not have were refused before.
func (f *filler) table(path, known string, value any, to reflect.Value) {
	in, ok := value.(map[string]any)
	if !ok {
		f.mistyped(path, known, value, to.Type())
		return
	}
	for i := range to.NumField() {
		name := to.Type().Field(i).Tag.Get("toml")
		if v, ok := in[name]; ok && f.words.knows(join(known, name)) {
			f.fill(join(path, name), join(known, name), v, to.Field(i))
		}
	}
}

// texts fills a map of strings.
func (f *filler) texts(path, known string, value any, to reflect.Value) {
	in, ok := value.(map[string]any)
	if !ok {
		f.mistyped(path, known, value, to.Type())
		return
	}
	out := make(map[string]string, len(in))
	for _, key := range slices.Sorted(maps.Keys(in)) {
		text, ok := in[key].(string)
		if !ok {
			f.mistyped(join(path, key), join(known, key), in[key], to.Type().Elem())
		}
		out[key] = text
	}
	to.Set(reflect.ValueOf(out))
}

// list fills a slice of strings or of tables.
func (f *filler) list(path, known string, value any, to reflect.Value) {
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.Slice {
		f.mistyped(path, known, value, to.Type())
		return
	}
	tables := to.Type().Elem().Kind() == reflect.Struct
	out := reflect.MakeSlice(to.Type(), v.Len(), v.Len())
	for i := range v.Len() {
		item := v.Index(i).Interface()
		_, text := item.(string)
		if _, table := item.(map[string]any); tables && !table || !tables && !text {
			f.mistyped(path, known, value, to.Type())
			return
		}
		f.fill(fmt.Sprintf("%s[%d]", path, i), known, item, out.Index(i))
	}
	to.Set(out)
}

func (f *filler) mistyped(path, known string, value any, want reflect.Type) {
	if f.told[path] {
		return // two shapes are filled from a file of cases
	}
	f.told[path] = true
	at, ok := f.at[path]
	for p := known; !ok && p != ""; p = p[:max(strings.LastIndexByte(p, '.'), 0)] {
		at, ok = f.at[p] // in a list of inline tables keys have no index
	}
	key := known
	if i := strings.LastIndexByte(path, ']'); i >= 0 && i+1 < len(path) {
		key = path[i+2:]
	}
	wanted, hint := remedy(known, value, want)
	f.add(at, cut(key), hint, "%s is %s, not %s", shown(value), typeOf(value), wanted)
}
