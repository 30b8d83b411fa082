package telemetry

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/avx-platform/avxrt/internal/nearest"
)

// NewLogger returns a logger that writes to w. format is text or json, or lines,
// which is text for a terminal; level is debug, info, warn or error.
func NewLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q is unknown; %s", level, nearest.Hint(level, "debug", "info", "warn", "error"))
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "lines":
		return slog.New(newLines(w, l)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("log format %q is unknown; %s", format, nearest.Hint(format, "text", "json"))
}
