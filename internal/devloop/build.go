package devloop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/avx-platform/avxrt/internal/build"
	"github.com/avx-platform/avxrt/internal/rehearsal"
	"github.com/avx-platform/avxrt/runtime"
)

// say writes one block.
func (l *Loop) say(format string, args ...any) { fmt.Fprintf(l.opts.Out, format, args...) }

// make builds a project into the scratch folder, and tells of a compiler that refused.
func (l *Loop) make(ctx context.Context, p *project, goesOn string) (build.Result, bool) {
	var said bytes.Buffer
	start := time.Now()
	made, err := p.Build(ctx, build.Options{Output: &said})
	if p.failed = err != nil; !p.failed {
		return made, true
	}
	if ctx.Err() != nil {
		return made, false
	}
	text := indent(said.String())
	var refused *build.CompileError
	if !errors.As(err, &refused) {
		text += indent(err.Error())
	}
	l.say("%s  NOT built, after %s; %s\n%s", p.Name(), seconds(time.Since(start)), goesOn, text)
	return made, false
}

// first builds a module that is not there yet.
func (l *Loop) first(ctx context.Context, p *project) {
	made, ok := l.make(ctx, p, "the node starts once it can be")
	if !ok {
		return
	}
	err := os.MkdirAll(filepath.Dir(p.module), 0o755)
	if err == nil {
		err = os.Rename(made.File, p.module)
	}
	if p.failed = err != nil; p.failed {
		l.say("%s  NOT built: %v\n", p.Name(), err)
		return
	}
	l.say("%s  built in %s  %d bytes  %s\n", p.Name(), seconds(made.Took), made.Bytes, short(made.Digest))
}

// renew builds a module and puts it into service. saved says that somebody waits for a word.
func (l *Loop) renew(ctx context.Context, p *project, saved bool) {
	if _, err := l.node.Subscriber(p.subscribers[0]); err != nil {
		l.first(ctx, p) // the manifest that names it is not adopted yet
		return
	}
	made, ok := l.make(ctx, p, l.goesOn(p))
	if !ok {
		return
	}
	built := time.Now()
	if made.Digest == p.serving {
		if saved {
			l.say("%s  built in %s  %s, as what runs: nothing to swap\n", p.Name(), seconds(made.Took), short(made.Digest))
		}
		return
	}
	wasm, err := os.ReadFile(made.File)
	if err != nil {
		l.say("%s  NOT in service: %v\n", p.Name(), err)
		return
	}
	d, err := l.node.Try(ctx, p.subscribers[0], wasm, l.opts.Replay, acceptable)
	if ctx.Err() != nil {
		return
	}
	if d.Deployed {
		p.serving = made.Digest
	}
	l.say("%s  built in %s  %d bytes  %s\n%s", p.Name(), seconds(made.Took), made.Bytes, short(made.Digest), l.outcome(p.subscribers[0], d, err, time.Since(built)))
}

// acceptable refuses a module that fails an event which the present one handles. Fuel and
// what is emitted may differ: that is what one develops for.
func acceptable(r *rehearsal.Report) bool { return r.Worse.Count == 0 }

// goesOn says what runs meanwhile.
func (l *Loop) goesOn(p *project) string {
	var parts []string
	for _, name := range p.subscribers {
		if s, err := l.node.Subscriber(name); err == nil {
			parts = append(parts, fmt.Sprintf("%s goes on with generation %d", name, s.Generation))
		}
	}
	return strings.Join(parts, ", ")
}

// outcome tells what became of a module.
func (l *Loop) outcome(name string, d runtime.Deployment, err error, took time.Duration) string {
	var b strings.Builder
	present := 0
	status, gone := l.node.Subscriber(name)
	if gone == nil {
		present = status.Generation
	}
	switch {
	case err != nil:
		fmt.Fprintf(&b, "  NOT in service: %s goes on with generation %d\n%s", name, present, indent(err.Error()))
	case !d.Deployed:
		fmt.Fprintf(&b, "  NOT in service: it fails %d of %d replayed events that generation %d handles, which goes on\n", d.Report.Worse.Count, d.Report.Events, present)
		b.WriteString(worse(&d.Report.Worse))
		return b.String()
	default:
		fmt.Fprintf(&b, "  %s: generation %d in service, %s after the compiler\n", name, d.Generation, seconds(took))
		if d.Move != "" {
			fmt.Fprintf(&b, "  its state comes to version %d first: %s\n", d.Version, d.Move)
		}
		if len(d.Shared) > 0 {
			fmt.Fprintf(&b, "  the same file is the module of %s, too\n", strings.Join(d.Shared, ", "))
		}
		b.WriteString(replayed(d.Report, l.opts.Replay))
	}
	if gone == nil {
		fmt.Fprintf(&b, "  %d events handled since the start, %d wait, %d dead letters\n", status.Handled, status.LagEvents, status.DeadLetters)
	}
	return b.String()
}
