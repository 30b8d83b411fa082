package abi_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
)

func headers(t *testing.T, pairs ...string) abi.Headers {
	t.Helper()
	var h abi.Headers
	for i := 0; i < len(pairs); i += 2 {
		var err error
		if h, err = h.Append(pairs[i], pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func TestCheckText(t *testing.T) {
	var many []string
	for i := range 500 {
		many = append(many, "h"+strconv.Itoa(i), "")
	}
	for name, tt := range map[string]struct {
		ev   abi.Event
		want string
	}{
		"plain":        {abi.Event{Key: "order 1", ID: "1", Source: "/s", ContentType: "a/b; c=d"}, ""},
		"other script": {abi.Event{Key: "заказ-1 \U0001f600"}, ""},
		"cut":          {abi.Event{Key: "\xff"}, "key: is not UTF-8"},
		"control":      {abi.Event{ID: "a\x00"}, "id: has a control character"},
		"delete":       {abi.Event{Source: "\x7f"}, "source: has a control character"},
		"C1":           {abi.Event{ContentType: "\u009b31m"}, "content type: has a control character"},
		"headers":      {abi.Event{Headers: headers(t, many...)}, ""},
		"empty value":  {abi.Event{Headers: headers(t, "hops", "")}, ""},
		"bad value":    {abi.Event{Headers: headers(t, "hops", "\n")}, "hops: has a control character"},
		"twice":        {abi.Event{Headers: headers(t, append(many, "h0", "")...)}, "h0: is there twice"},
		"capitals":     {abi.Event{Headers: headers(t, "Hops", "")}, "header: an attribute name is made of a-z and 0-9"},
		"long":         {abi.Event{Headers: headers(t, strings.Repeat("a", 65), "")}, "header: an attribute name has 1 to 64 characters"},
		"attribute":    {abi.Event{Headers: headers(t, "type", "$sys.x")}, "header: is an attribute of every event and cannot be one of its headers"},
	} {
		t.Run(name, func(t *testing.T) {
			field, reason := tt.ev.CheckText()
			if got := field + ": " + reason; got != tt.want && (got != ": " || tt.want != "") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
