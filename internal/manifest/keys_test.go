package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// shape returns the paths and the Go types of what the TOML library fills.
func shape(t reflect.Type, path string, out map[string]string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		out[path] = "tables"
		shape(t.Elem(), path, out)
		return
	case t.Kind() != reflect.Struct:
		out[path] = t.String()
		return
	}
	if out[path] == "" && path != "" {
		out[path] = "table"
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		shape(f.Type, join(path, name), out)
	}
}

// TestKeysAreWhatIsRead: the table of keys and the shape that is read are one.
func TestKeysAreWhatIsRead(t *testing.T) {
	read := map[string]string{}
	shape(reflect.TypeFor[raw](), "", read)
	of := map[Type]string{
		Table: "table", Tables: "tables", Text: "string", Texts: "[]string", TextMap: "map[string]string", Switch: "bool",
		Integer: "int", Number: "float64", Count: "string", Size: "string", Duration: "string",
	}
	for _, k := range Keys() {
		if read[k.Path] != of[k.Type] {
			t.Errorf("%s is %s in the table, and read as %q", k.Path, k.Type, read[k.Path])
		}
		if k.Doc == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s is not documented: %q", k.Path, k.Doc)
		}
		if slices.Contains(laterKeys, k.Path) {
			t.Errorf("%s is there now and later", k.Path)
		}
		delete(read, k.Path)
	}
	for path := range read {
		t.Errorf("%s is read, and not in the table of keys", path)
	}
}

// with writes a manifest in which one key has a value, whatever else that key needs.
func with(k Key, value string) string {
	if k.Type != Integer && k.Type != Number && k.Type != Switch {
		value = strconv.Quote(value)
	}
	line := k.Path + " = " + value + "\n"
	text, sub := "", "[[subscriber]]\nname = \"s\"\nmodule = \"s.wasm\"\ntopics = [\"a\"]\n"
	switch rest, ok := strings.CutPrefix(k.Path, "subscriber."); {
	case ok:
		if rest == "swap.events" || rest == "swap.require" {
			sub += "swap.mode = \"shadow\"\n"
		}
		sub += rest + " = " + value + "\n"
	case strings.HasPrefix(k.Path, "log.retention.topics."):
		text = "[[log.retention.topics]]\npattern = \"a\"\n" + k.Name() + " = " + value + "\n"
	default:
		text = line
	}
	return text + sub
}

func parsed(t *testing.T, text string) (*Manifest, error) {
	t.Helper()
	return Parse([]byte(text), "/somewhere", nil)
}

// TestDefaults: a manifest that spells a default out is the one that leaves the key away.
func TestDefaults(t *testing.T) {
	plain, err := parsed(t, with(Key{Path: "node.id", Type: Text}, "node-1"))
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, k := range Keys() {
		if k.Default == "" || k.Path == "subscriber.swap.events" {
			continue
		}
		told++
		m, err := parsed(t, with(k, k.Default))
		if err != nil {
			t.Errorf("%s: %v", k.Path, err)
		} else if !reflect.DeepEqual(m, plain) {
			t.Errorf("%s = %s is not what the default is", k.Path, k.Default)
		}
	}
	if told < 20 {
		t.Errorf("%d keys have a default", told)
	}
}

// beyond returns the nearest value outside of a bound.
func beyond(t *testing.T, k Key, bound string, step int64) string {
	t.Helper()
	switch k.Type {
	case Integer, Count:
		n, err := strconv.ParseInt(bound, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", k.Path, err)
		}
		return strconv.FormatInt(n+step, 10)
	case Number:
		x, _ := strconv.ParseFloat(bound, 64)
		return strconv.FormatFloat(x+float64(step)/1e6, 'f', -1, 64)
	case Size:
		n, ok := parseSize(bound)
		if !ok {
			t.Fatalf("%s: %s is no size", k.Path, bound)
		}
		return strconv.FormatInt(n+step, 10)
	case Duration:
		d, err := time.ParseDuration(bound)
		if err != nil {
			t.Fatalf("%s: %v", k.Path, err)
		}
		return (d + time.Duration(step)).String()
	}
	t.Fatalf("%s has a bound and no order", k.Path)
	return ""
}

// TestBounds: both ends are taken, what lies beyond is refused, and words are all there are.
func TestBounds(t *testing.T) {
	check := func(k Key, value string, fine bool) {
		t.Helper()
		if _, err := parsed(t, with(k, value)); (err == nil) != fine {
			t.Errorf("%s = %s: %v", k.Path, value, err)
		} else if err != nil && !strings.Contains(err.Error(), strings.TrimPrefix(k.Path, "subscriber.")) && !strings.Contains(err.Error(), k.Name()) {
			t.Errorf("%s = %s: the error names another key: %v", k.Path, value, err)
		}
	}
	bounds := 0
	for _, k := range Keys() {
		for _, b := range []struct {
			bound string
			step  int64
		}{{k.Low, -1}, {k.High, 1}} {
			if b.bound != "" {
				bounds++
				check(k, b.bound, true)
				check(k, beyond(t, k, b.bound, b.step), false)
			}
		}
		for _, w := range k.Words {
			check(k, w, true)
			check(k, w+"x", false)
		}
		if k.Required {
			text := with(Key{Path: "node.id", Type: Text}, "node-1") + "[[log.retention.topics]]\npattern = \"a\"\nmax_age = \"1h\"\n"
			without := ""
			for line := range strings.Lines(text) {
				if !strings.HasPrefix(line, k.Name()+" ") {
					without += line
				}
			}
			if _, err := parsed(t, text); err != nil {
				t.Fatal(err)
			}
			if _, err := parsed(t, without); err == nil {
				t.Errorf("%s is required, and may be left away", k.Path)
			}
		}
	}
	if bounds < 30 {
		t.Errorf("%d bounds were tried", bounds)
	}
}

// TestEnv: the environment sets what the table says, and nothing in [[…]].
func TestEnv(t *testing.T) {
	for _, k := range Keys() {
		if k.Env == "" || k.Type == Table {
			continue
		}
		asked := false
		_, _ = Parse(nil, "/somewhere", func(name string) (string, bool) {
			asked = asked || name == k.Env
			return "", false
		})
		if !asked {
			t.Errorf("%s is not asked for", k.Env)
		}
	}
	if fmt.Sprint(Later()) == "[]" {
		t.Error("nothing comes later")
	}
}
