package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/client"
	"github.com/avx-platform/avxrt/internal/cloudevents"
	"github.com/avx-platform/avxrt/internal/wire"
)

// jsonType is what data are unless something else is said.
const jsonType = "application/json"

type pubFlags struct{ data, file, key, contentType, durability string }

func (a *app) pubVerb() *cobra.Command {
	var f pubFlags
	cmd := &cobra.Command{
		Use:   "pub TOPIC | pub -f FILE",
		Short: "Publish one event, or a file of CloudEvents",
		Long: `Publish one event with the data given by -d (text, @file, or - for standard input), or every line of a
file of CloudEvents as JSON (-f -, standard input). A file may be published again: events that the node
has already (same source and id) are not appended twice.`,
		Example: `  avxrt pub orders.created -d '{"order":"1"}' --key order-1
  date | avxrt pub clock.read -d - --content-type text/plain
  avxrt pub -f orders.jsonl`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) == (f.file == "") {
				return &usageError{errors.New("name either a topic or a file (-f); see avxrt pub --help")}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if f.file != "" {
				return a.pubFile(cmd.Context(), c, f)
			}
			return a.pubOne(cmd.Context(), c, args[0], f)
		},
	}
	cmd.Flags().StringVarP(&f.data, "data", "d", "", "the data: text, @file, or - for standard input")
	cmd.Flags().StringVarP(&f.file, "file", "f", "", "CloudEvents as JSON, one a line; - for standard input")
	cmd.Flags().StringVar(&f.key, "key", "", "the stream that the event belongs to")
	cmd.Flags().StringVar(&f.contentType, "content-type", jsonType, "of the data")
	cmd.Flags().StringVar(&f.durability, "durability", "", "durable or accepted (default: the node's)")
	return cmd
}

func (a *app) pubOne(ctx context.Context, c *client.Client, topic string, f pubFlags) error {
	data := []byte(f.data)
	var err error
	switch {
	case f.data == "-":
		data, err = io.ReadAll(a.in)
	case strings.HasPrefix(f.data, "@"):
		data, err = os.ReadFile(f.data[1:])
	}
	if err != nil {
		return err
	}
	r, err := c.PublishPlain(ctx, topic, f.key, f.contentType, data, f.durability)
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintf(a.out, "%s  seq %d  id %s  %s\n", topic, r.Seq, r.ID, r.Durability); err != nil {
		return err
	}
	if f.contentType == jsonType && len(data) > 0 && !json.Valid(data) { // mostly it is the shell that took the quotes
		fmt.Fprintf(a.err, "the data is no JSON, which its content type says it is; see --content-type\n")
	}
	a.tellUnwanted(ctx, c, topic)
	return nil
}

// pubFile publishes a file in batches that fit into one request.
func (a *app) pubFile(ctx context.Context, c *client.Client, f pubFlags) error {
	in := a.in
	var size int64
	if f.file != "-" {
		file, err := os.Open(f.file)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w; name a file of CloudEvents as JSON, one a line, or - for standard input", err)
		} else if err != nil {
			return err
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() { // waiting for a pipe must end by ^C itself
			size = info.Size()
			var stop func()
			ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
			defer stop()
		}
		in = file
	}
	p := &publisher{c: c, durability: f.durability, name: f.file, bar: a.progress(size)}
	err := p.all(ctx, in)
	p.bar.done()
	fmt.Fprintf(a.out, "%s published: %d new, %d there already, last seq %d\n", counted(p.published, "event"), p.published-p.duplicates, p.duplicates, p.lastSeq)
	return err
}

// Bounds of a batch: the node takes 1 MiB a request.
const (
	batchEvents = 500
	batchBytes  = 900 << 10
)

// publisher sends the lines of a file.
type publisher struct {
	c          *client.Client
	durability string
	name       string
	bar        *progress

	batch                 []abi.Event
	lines                 []int // of the batch's events
	size                  int
	published, duplicates int
	lastSeq               uint64
}

func (p *publisher) all(ctx context.Context, in io.Reader) error {
	r := bufio.NewReaderSize(in, 1<<20)
	for line := 1; ; line++ {
		text, err := r.ReadBytes('\n')
		p.bar.add(len(text))
		if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 {
			if err := p.add(ctx, line, trimmed); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return p.flush(ctx)
		}
		if err != nil {
			return err
		}
	}
}

func (p *publisher) add(ctx context.Context, line int, text []byte) error {
	ev, err := cloudevents.ParseJSON(text)
	if err != nil {
		if flushErr := p.flush(ctx); flushErr != nil {
			return flushErr
		}
		return fmt.Errorf("%s:%d: %w (the lines before it are published)", p.name, line, err)
	}
	if len(p.batch) > 0 && (len(p.batch) == batchEvents || p.size+len(text) > batchBytes) {
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	p.batch, p.lines, p.size = append(p.batch, ev), append(p.lines, line), p.size+len(text)
	return nil
}

func (p *publisher) flush(ctx context.Context) error {
	if len(p.batch) == 0 {
		return nil
	}
	receipts, err := p.c.Publish(ctx, p.batch, p.durability)
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		var problem *wire.Problem
		if line := p.lines[0]; errors.As(err, &problem) && problem.Event != nil && *problem.Event < len(p.lines) {
			line = p.lines[*problem.Event]
			return fmt.Errorf("%s:%d: %w (lines %d to %d are not published; mend it and publish the file again)", p.name, line, err, p.lines[0], p.lines[len(p.lines)-1])
		}
		return fmt.Errorf("%s:%d: %w; run it again: what is there already is not appended twice", p.name, p.lines[0], err)
	}
	for _, r := range receipts {
		p.lastSeq = max(p.lastSeq, r.Seq)
		if r.Duplicate {
			p.duplicates++
		}
	}
	p.published += len(receipts)
	p.batch, p.lines, p.size = p.batch[:0], p.lines[:0], 0
	return nil
}

// progress is a bar on a terminal, and nothing elsewhere.
type progress struct {
	w          io.Writer
	size, read int64
	shown      time.Time
}

func (a *app) progress(size int64) *progress {
	f, ok := a.err.(*os.File)
	if !ok || size == 0 || !term.IsTerminal(int(f.Fd())) {
		return &progress{}
	}
	return &progress{w: f, size: size}
}

func (p *progress) add(n int) {
	p.read += int64(n)
	if p.w == nil || time.Since(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = time.Now()
	const width = 30
	full := int(min(p.read*width/p.size, width))
	fmt.Fprintf(p.w, "\r[%s%s] %3d%%", strings.Repeat("=", full), strings.Repeat(" ", width-full), p.read*100/p.size)
}

func (p *progress) done() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
