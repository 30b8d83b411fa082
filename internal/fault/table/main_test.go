package main

import (
	"strings"
	"testing"
)

// TestWrite: what was run again counts once, by its last record, and a failure is told.
func TestWrite(t *testing.T) {
	record := func(level, faults, failed string) string {
		return `{"promise":"P10","text":"holds","test":"TestX","kind":"faults","faults":` + faults + `,"breaches":1,"failed":` + failed + `,"seed":7,"level":"` + level + `"}`
	}
	var out strings.Builder
	in := strings.Join([]string{record("release", "9", "false"), record("ci", "3", "false"), record("ci", "4", "true")}, "\n")
	if err := write(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 9 faults | 0 | 1 | release |", "| 4 faults | **failed** | 1 | ci |"} {
		if strings.Count(out.String(), want) != 1 {
			t.Errorf("%q is not there once in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "| 3 faults") {
		t.Error("a record that was replaced is listed")
	}
	if err := write(strings.NewReader("no record"), &out); err == nil {
		t.Error("what is no record is taken")
	}
}
