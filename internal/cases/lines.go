package cases

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/internal/trial"
)

// table collects the parts of an inline table.
type table []string

func (t *table) text(key, value string) { *t = append(*t, key+" = "+quote(value)) }

func (t *table) headers(h map[string]string) {
	if len(h) == 0 {
		return
	}
	var parts table
	for _, k := range slices.Sorted(maps.Keys(h)) {
		parts.text(quoteKey(k), h[k])
	}
	*t = append(*t, "headers = "+parts.String())
}

// String writes the table.
func (t *table) String() string { return "{ " + strings.Join(*t, ", ") + " }" }

// wantLine writes what a case says of an emit.
func wantLine(w *manifest.WantEmit) string {
	var t table
	if w.Topic != "" {
		t.text("topic", w.Topic)
	}
	for _, part := range []struct {
		key   string
		value *string
	}{{"key", w.Key}, {"content_type", w.ContentType}, {"timer", w.Timer}, {"data", w.Data}} {
		if part.value != nil {
			t.text(part.key, *part.value)
		}
	}
	t.headers(w.Headers)
	if w.Version != nil {
		t = append(t, fmt.Sprintf("version = %d", *w.Version))
	}
	if w.In != nil {
		t.text("in", w.In.String())
	}
	if w.Cancel {
		t = append(t, "cancel = true")
	}
	return t.String()
}

// emitLine writes an emit as a case would; at is the time of its cause.
func emitLine(e *sandbox.Emit, at int64) string {
	ev := &e.Event
	var t table
	for _, part := range []struct{ key, value string }{
		{"topic", ev.Topic}, {"key", ev.Key}, {"content_type", ev.ContentType}, {"timer", e.Timer}, {"data", trial.Text(ev.Data)},
	} {
		if part.value != "" {
			t.text(part.key, part.value)
		}
	}
	headers := map[string]string{}
	for k, v := range ev.Headers.All() {
		if _, ok := headers[k]; !ok && k != "timer" {
			headers[k] = v
		}
	}
	t.headers(headers)
	if ev.Version != 0 {
		t = append(t, fmt.Sprintf("version = %d", ev.Version))
	}
	if e.Due != 0 {
		t.text("in", duration(e, at))
	}
	if e.Cancel {
		t = append(t, "cancel = true")
	}
	return t.String()
}

func assignment(key, value string) string { return quoteKey(key) + " = " + quote(value) }

// quoteKey writes a key, bare where TOML allows that.
func quoteKey(key string) string {
	plain := key != "" && strings.IndexFunc(key, func(r rune) bool {
		return !(r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	}) < 0
	if plain {
		return key
	}
	return quote(key)
}

// quote writes a string as TOML: literal where that shows it better.
func quote(s string) string {
	control := strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) >= 0
	if strings.ContainsAny(s, `"\`) && !strings.Contains(s, "'") && !control {
		return "'" + s + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			hex := strconv.FormatInt(int64(r), 16)
			b.WriteString(`\U` + strings.Repeat("0", 8-len(hex)) + hex)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
