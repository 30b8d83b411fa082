package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// lines is the handler for people at a terminal: time, level and message without their names,
// then the attributes as slog's text has them.
type lines struct {
	out  *linesOut
	text slog.Handler // writes the attributes to out.line
}

// linesOut is what the handlers of one logger share.
type linesOut struct {
	mu   sync.Mutex // guards what follows
	w    io.Writer
	line bytes.Buffer
}

func newLines(w io.Writer, level slog.Leveler) lines {
	out := &linesOut{w: w}
	return lines{out, slog.NewTextHandler(&out.line, &slog.HandlerOptions{Level: level, ReplaceAttr: withoutHead})}
}

// withoutHead drops what Handle wrote already.
func withoutHead(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return a
}

func (h lines) Enabled(ctx context.Context, level slog.Level) bool {
	return h.text.Enabled(ctx, level)
}

func (h lines) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.line.Reset()
	fmt.Fprintf(&h.out.line, "%s %-5s %s  ", r.Time.Local().Format(time.TimeOnly), r.Level, r.Message)
	if err := h.text.Handle(ctx, r); err != nil {
		return err
	}
	line := append(bytes.TrimRight(h.out.line.Bytes(), " \n"), '\n')
	_, err := h.out.w.Write(line)
	return err
}

func (h lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return lines{h.out, h.text.WithAttrs(attrs)}
}
func (h lines) WithGroup(name string) slog.Handler { return lines{h.out, h.text.WithGroup(name)} }
