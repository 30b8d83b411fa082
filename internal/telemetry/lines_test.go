package telemetry_test

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/avx-platform/avxrt/internal/telemetry"
)

// TestLines: at a terminal a line has time, level and message first, without their names, and
// what a guest says cannot begin a line of its own.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	logger, err := telemetry.NewLogger(&out, "lines", "info")
	if err != nil {
		t.Fatal(err)
	}
	logger.Debug("not shown")
	logger.Info("plain")
	logger.With("subscriber", "fraud").WithGroup("g").Warn("dead letter", "seq", 5, "message", "no\norder\x1b")
	want := regexp.MustCompile(`^\d\d:\d\d:\d\d INFO  plain\n\d\d:\d\d:\d\d WARN  dead letter  subscriber=fraud g\.seq=5 g\.message="no\\norder\\x1b"\n$`)
	if !want.Match(out.Bytes()) {
		t.Errorf("got %q", out.String())
	}
}
