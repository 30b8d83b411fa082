package runtime

import "testing"

func TestMask(t *testing.T) {
	for message, want := range map[string]string{
		"":                                "",
		"plain words stay":                "plain words stay",
		"order 17 of 2026-11-25":          "order # of #",
		"order order-123, customer c_9":   "order #, customer #",
		"at 0x1f3a (deadbeef)":            "at # (#)",
		"the facade added a bed":          "the facade added a bed", // short words of a to f are words
		"id 01a21232-acf2-7000-89f0-fd4a": "id #",
		"größe 5 über 3":                  "größe # über #",
		"division by zero in f64::div":    "division by zero in #::div",
	} {
		if got := mask(message); got != want {
			t.Errorf("mask(%q) is %q, want %q", message, got, want)
		}
	}
	if fingerprint("trap", "x") == fingerprint("reject", "x") || len(fingerprint("trap", "x")) != 12 {
		t.Error("the reason does not count, or the length is wrong")
	}
}
