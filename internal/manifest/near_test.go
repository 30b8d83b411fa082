package manifest_test

import (
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/internal/manifest"
)

func TestNearMisses(t *testing.T) {
	for _, c := range []struct{ wants, emits, want string }{
		{"orders.creatde", "orders.created", `b wants orders.creatde, which no subscriber emits; did you mean "orders.created", which a may emit?`},
		{"order.*", "orders.*", `b wants order.*, which no subscriber emits; did you mean "orders.*", which a may emit?`},
		{"orders.created", "orders.created", ""},
		{"orders.**", "orders.created", ""},
		{"payments.made", "orders.created", ""},
		{"orders.created", "$effect.smtp.send", ""},
		{"orders.creatde", "**", ""},
	} {
		text := "[[subscriber]]\nname = \"a\"\nmodule = \"a.wasm\"\ntopics = [\"zzz\"]\nemits = [\"" + c.emits + "\"]\n" +
			"[[subscriber]]\nname = \"b\"\nmodule = \"b.wasm\"\ntopics = [\"" + c.wants + "\"]\n"
		m, err := manifest.Parse([]byte(text), "/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(m.NearMisses(), "\n"); got != c.want {
			t.Errorf("%s and %s: got %q, want %q", c.wants, c.emits, got, c.want)
		}
	}
}
