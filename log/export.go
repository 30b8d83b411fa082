package log

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/cloudevents"
)

// ExportOptions say what is exported.
type ExportOptions struct {
	From, To abi.Seq                 // 0: from the beginning, to the end
	Match    func(topic string) bool // nil: all topics
	Progress func(at abi.Seq)        // told from time to time; may be nil
}

// progressEvery is after how many events progress is told.
const progressEvery = 10_000

// Export writes events as CloudEvents in JSON, one a line, up to what is durable now, and
// returns how many.
func (l *Log) Export(ctx context.Context, w io.Writer, opts ExportOptions) (events int, err error) {
	out := bufio.NewWriterSize(w, 1<<20)
	to := l.DurableSeq()
	if opts.To != 0 {
		to = min(to, opts.To)
	}
	r := l.NewReader(ReadOptions{From: opts.From, Match: opts.Match, Durable: true, Borrow: true})
	defer r.Close()
	var ev abi.Event
	var line []byte
	for r.Next(&ev) && ev.Seq <= to {
		line = append(cloudevents.AppendJSON(line[:0], &ev), '\n')
		if _, err := out.Write(line); err != nil {
			return events, err
		}
		if events++; events%progressEvery == 0 {
			if opts.Progress != nil {
				opts.Progress(ev.Seq)
			}
			if err := ctx.Err(); err != nil {
				return events, err
			}
		}
	}
	return events, errors.Join(r.Err(), out.Flush())
}

// ImportReport says what became of the lines of an import.
type ImportReport struct {
	Lines      int
	Events     int // appended
	Duplicates int // there already
	System     int // events of the host's own ($…), which are left out
}

// LineError says which line of an import is wrong. Everything before its batch is in the log.
type LineError struct {
	Line int // from 1
	Err  error
}

// Error names the line.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong with the line.
func (e *LineError) Unwrap() error { return e.Err }

// importBatch is how many lines are appended at once.
const importBatch = 512

// Import appends events from CloudEvents in JSON, one a line, as [Log.Export] writes them.
// Times, ids and sources stay; seqs and versions are given anew. An event whose (source,
// id) is within the window of deduplication is not appended again, so an import of no more
// than Options.DedupeWindow events can be repeated when it was cut short; of a longer one,
// leave out the lines that the report says were done. check refuses topics, of which the log
// itself knows no more than how long they may be; nil: none is refused.
func (l *Log) Import(ctx context.Context, r io.Reader, check func(topic string) error) (ImportReport, error) {
	in := bufio.NewReaderSize(r, 1<<20)
	var report ImportReport
	var batch []abi.Event
	for {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) {
			return report, l.importSome(ctx, batch, &report)
		}
		report.Lines++
		if err != nil {
			return report, &LineError{report.Lines, err}
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		ev, err := cloudevents.ParseJSON(line)
		if err != nil {
			return report, &LineError{report.Lines, err}
		}
		if strings.HasPrefix(ev.Topic, "$") {
			report.System++
			continue
		}
		ev.Version = 0
		err = checkEvent(0, &ev)
		if err == nil && check != nil {
			err = check(ev.Topic)
		}
		if err != nil {
			return report, &LineError{report.Lines, err}
		}
		if batch = append(batch, ev); len(batch) == importBatch {
			if err := l.importSome(ctx, batch, &report); err != nil {
				return report, err
			}
			batch = batch[:0]
		}
	}
}

// readLine returns the next line without its end. It is as long as an event can be at most.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > 4*abi.MaxEventBytes:
			return nil, fmt.Errorf("it is longer than %d bytes", 4*abi.MaxEventBytes)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		}
		return line, err
	}
}

func (l *Log) importSome(ctx context.Context, batch []abi.Event, report *ImportReport) error {
	if len(batch) == 0 {
		return nil
	}
	receipts, err := l.Append(ctx, batch, Durable)
	for i := range receipts {
		if receipts[i].Duplicate {
			report.Duplicates++
		} else {
			report.Events++
		}
	}
	return err
}
