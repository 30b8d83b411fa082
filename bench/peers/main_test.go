package main

import (
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/bench/peers/harness"
)

func TestPick(t *testing.T) {
	list := func(names ...string) func(bool) []harness.Case {
		return func(quick bool) (out []harness.Case) {
			for _, n := range names {
				name, rival, _ := strings.Cut(n, " ")
				if quick {
					name += "-quick"
				}
				out = append(out, harness.Case{Name: name, Rival: rival})
			}
			return out
		}
	}
	areas := map[string]func(bool) []harness.Case{"log": list("log/a pebble", "log/a nats/uncached", "log/b pebble"), "none": nil}
	for _, test := range []struct {
		area, only string
		quick      bool
		want       string // the cases, or what the error says
	}{
		{"log", "", false, "log/a pebble,log/a nats/uncached,log/b pebble"},
		{"log", "", true, "log/a-quick pebble,log/a-quick nats/uncached,log/b-quick pebble"},
		{"log", "log/a", false, "log/a pebble,log/a nats/uncached"},
		{"log", "rival=pebble", false, "log/a pebble,log/b pebble"},
		{"log", "log/a rival=pebble", false, "log/a pebble"},
		{"log", "nobody", false, `area "log" has no case with "nobody"`},
		{"none", "", false, `area "none" has no cases yet`},
		{"mail", "", false, `area "mail" is not known; use e2e, log, router or wasm`},
	} {
		cases, err := pick(areas, test.area, test.quick, test.only)
		var got []string
		for _, c := range cases {
			got = append(got, c.Name+" "+c.Rival)
		}
		text := strings.Join(got, ",")
		if err != nil {
			text = err.Error()
		}
		if text != test.want {
			t.Errorf("%+v: got %s", test, text)
		}
	}
}

// TestAreas wants every area that the benchmarks' page names to be known.
func TestAreas(t *testing.T) {
	for _, name := range strings.Fields("log router wasm e2e") {
		if _, known := areas[name]; !known {
			t.Errorf("area %s is not known", name)
		}
	}
}
