package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// page is a document whose console blocks are done in order. docs/pages.md says how one
// is written.
type page struct {
	name  string
	steps []step
}

// step is a command with what it prints, or a file that is quoted or saved.
type step struct {
	line    int
	command string // "^C": interrupt what was started last and still runs
	want    []string
	running bool // it goes on while the steps behind it are done
	more    bool // no command: what runs on prints this next
	first   bool // in the terminal of what runs, not the other one

	file string // quoted from here if save is not set
	save bool
	text string
}

const interrupt = "^C"

func (p *page) hasCommands() bool {
	return slices.ContainsFunc(p.steps, func(s step) bool { return s.command != "" })
}

// parsePage finds the blocks that mean something to the rig.
func parsePage(name, text string) (*page, error) {
	p := &page{name: name}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		info, ok := strings.CutPrefix(strings.TrimSpace(lines[i]), "```")
		if !ok {
			continue
		}
		begin := i + 1
		for i = begin; i < len(lines) && strings.TrimSpace(lines[i]) != "```"; i++ {
		}
		if i == len(lines) {
			return nil, fmt.Errorf("%s:%d: the block has no end", name, begin)
		}
		fields := strings.Fields(info)
		switch {
		case len(fields) > 0 && fields[0] == "console":
			if err := p.console(begin+1, lines[begin:i], len(fields) > 1 && fields[1] == "running"); err != nil {
				return nil, err
			}
		case len(fields) > 1:
			p.steps = append(p.steps, step{line: begin + 1, file: fields[len(fields)-1], save: fields[1] == "save", text: strings.Join(lines[begin:i], "\n") + "\n"})
		}
	}
	return p, nil
}

func (p *page) console(at int, lines []string, running bool) error {
	begin, open := len(p.steps), false
	for i, line := range lines {
		last := len(p.steps) - 1
		switch {
		case line == interrupt:
			p.steps, open = append(p.steps, step{line: at + i, command: interrupt}), false
		case strings.HasPrefix(line, "$ "):
			p.steps, open = append(p.steps, step{line: at + i, command: line[2:]}), true
		case open && (line == ">" || strings.HasPrefix(line, "> ")):
			p.steps[last].command += "\n" + strings.TrimPrefix(line[1:], " ")
		case last < begin && running:
			p.steps = append(p.steps, step{line: at + i, more: true, want: []string{line}})
		case last < begin:
			return fmt.Errorf("%s:%d: a console block begins with a command", p.name, at+i)
		default:
			p.steps[last].want, open = append(p.steps[last].want, line), false
		}
	}
	for i := begin; i < len(p.steps); i++ {
		p.steps[i].first, p.steps[i].running = running, running && i == len(p.steps)-1 && !p.steps[i].more
	}
	return nil
}

// missingTool names a program that a page calls and that is not here.
func (p *page) missingTool() string {
	for _, s := range p.steps {
		for _, word := range strings.Fields(s.command) {
			switch word {
			case "clang", "wasm-ld", "rustc", "npm", "npx", "node", "curl", "jq", "make", "go":
				if _, err := exec.LookPath(word); err != nil {
					return word
				}
			}
		}
	}
	return ""
}

// pageRun is a page that is being followed.
type pageRun struct {
	*page
	root    string
	cwd     map[bool]string // of the terminal of what runs, and of the other one
	address string          // of the node, in place of what pages say
	env     []string
	jobs    []*job // that run on, oldest first
}

// pageAddress is where a node of a page listens, as readers see it.
const pageAddress = "127.0.0.1:7080"

// run follows the page in the copy of the repository at root and returns what is not as it says.
func (p *page) run(root, program, address string, logf func(string, ...any)) error {
	r := &pageRun{page: p, root: root, cwd: map[bool]string{true: root, false: root}, address: address}
	r.env = append(os.Environ(), "PATH="+filepath.Dir(program)+string(os.PathListSeparator)+os.Getenv("PATH"),
		"AVXRT_HTTP_LISTEN="+address, "AVXRT_SERVER=http://"+address, "NO_COLOR=1", "LC_ALL=C.UTF-8", "GOFLAGS=-buildvcs=false")
	defer func() {
		for _, j := range r.jobs {
			j.kill()
		}
	}()
	for _, s := range p.steps {
		if err := r.step(s); err != nil {
			for _, j := range r.jobs {
				logf("still running: %s\n%s", j.command, j.output())
			}
			return fmt.Errorf("%s:%d: %w", p.name, s.line, err)
		}
	}
	for len(r.jobs) > 0 {
		j := r.last()
		if err := r.end(); err != nil {
			return fmt.Errorf("%s: %s, at its end: %w\n%s", p.name, j.command, err, j.output())
		}
	}
	return nil
}

func (r *pageRun) step(s step) error {
	switch {
	case s.file != "" && s.save:
		return os.WriteFile(filepath.Join(r.cwd[false], s.file), []byte(s.text), 0o644)
	case s.file != "":
		text, err := os.ReadFile(filepath.Join(r.root, filepath.Dir(r.name), s.file))
		if err == nil && !strings.Contains(string(text), s.text) {
			err = fmt.Errorf("%s does not say\n%s", s.file, s.text)
		}
		return err
	case s.command == interrupt:
		return r.interrupted(s)
	case s.more:
		return r.goesOn(s)
	case s.running:
		return r.start(s)
	}
	return r.once(s)
}

// looks are commands that change nothing: a reader may look again, and so does the rig.
var looks = regexp.MustCompile(`^(avxrt (sub (ls|show|history|timers)|state|dlq (ls|show)|tail|trace|stream|topic) |curl -s )`)

// once runs a command to its end and compares.
func (r *pageRun) once(s step) error {
	deadline := time.Now().Add(patience)
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		out, failed, err := r.command(s)
		if err == nil {
			err = compare(s, r.asShown(out), failed)
		}
		if err == nil || !looks.MatchString(s.command+" ") || time.Now().After(deadline) {
			return err
		}
		<-again.C
	}
}

// command runs one and keeps the folder that it leaves the shell in.
func (r *pageRun) command(s step) (out string, failed, err error) {
	note := filepath.Join(r.root, ".cwd")
	cmd := exec.Command("sh", "-c", "trap 'pwd > \""+note+"\"' EXIT\n"+r.meant(s.command))
	cmd.Dir, cmd.Env = r.cwd[s.first], r.env
	text, failed := cmd.CombinedOutput()
	var exit *exec.ExitError
	if failed != nil && !errors.As(failed, &exit) {
		return "", nil, failed
	}
	cwd, err := os.ReadFile(note)
	if err == nil {
		r.cwd[s.first] = strings.TrimSpace(string(cwd))
	}
	return string(text), failed, err
}

// meant and asShown put the node's address in place of the page's, and back.
func (r *pageRun) meant(s string) string   { return strings.ReplaceAll(s, pageAddress, r.address) }
func (r *pageRun) asShown(s string) string { return strings.ReplaceAll(s, r.address, pageAddress) }

func compare(s step, out string, failed error) error {
	shown := slices.ContainsFunc(s.want, func(line string) bool { return strings.HasPrefix(line, "avxrt: ") })
	switch {
	case !pattern(s.want, "$").MatchString(tidy(out)):
		return fmt.Errorf("$ %s\nthe page shows:\n%s\nit prints:\n%s", s.command, strings.Join(s.want, "\n"), out)
	case failed != nil && !shown:
		return fmt.Errorf("$ %s\n%w, and the page shows no failure; it prints:\n%s", s.command, failed, out)
	case failed == nil && shown:
		return fmt.Errorf("$ %s\nthe page shows a failure, but the exit code is 0", s.command)
	}
	return nil
}

// start begins a command that runs on, and waits until it has printed what the page shows.
func (r *pageRun) start(s step) error {
	j := &job{command: s.command, done: make(chan struct{})}
	j.cmd = exec.Command("sh", "-c", "exec "+r.meant(s.command))
	j.cmd.Dir, j.cmd.Env, j.cmd.Stdout, j.cmd.Stderr = r.cwd[true], r.env, j, j
	if err := j.cmd.Start(); err != nil {
		return err
	}
	go j.wait()
	r.jobs = append(r.jobs, j)
	return r.await(j, s, pattern(s.want, ""), 0)
}

// goesOn waits until the job that was started last has printed what the page shows, behind
// what it showed of it before.
func (r *pageRun) goesOn(s step) error {
	if len(r.jobs) == 0 {
		return errors.New("the page shows what runs, but nothing is running")
	}
	j := r.last()
	return r.await(j, s, pattern(append([]string{"…"}, s.want...), ""), j.shown)
}

// await waits until a job's output, from an offset on, begins as a pattern wants.
func (r *pageRun) await(j *job, s step, want *regexp.Regexp, from int) error {
	deadline := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for ended := false; ; {
		printed := j.output()[from:]
		out := r.asShown(printed)
		if m := want.FindString(tidy(out)); m != "" {
			lines := strings.SplitAfter(printed, "\n") // a tidy line for each
			j.shown = from + len(strings.Join(lines[:strings.Count(m, "\n")], ""))
			return nil
		}
		timedOut := false
		select {
		case <-j.done:
			timedOut, ended = ended, true
		case <-deadline:
			timedOut = true
		case <-again.C:
		}
		if timedOut {
			return fmt.Errorf("$ %s\nthe page shows:\n%s\nit prints:\n%s", s.command, strings.Join(s.want, "\n"), out)
		}
	}
}

func (r *pageRun) last() *job { return r.jobs[len(r.jobs)-1] }

// interrupted sends ^C to the job that was started last, and compares what it says to that.
func (r *pageRun) interrupted(s step) error {
	if len(r.jobs) == 0 {
		return errors.New("^C, but nothing is running")
	}
	j := r.last()
	from := len(j.output())
	if err := r.end(); err != nil {
		return err
	}
	if len(s.want) == 0 {
		return nil
	}
	return r.await(j, s, pattern(append([]string{"…"}, s.want...), "$"), from)
}

// end interrupts the last job and wants it to end well.
func (r *pageRun) end() error {
	j := r.last()
	r.jobs = r.jobs[:len(r.jobs)-1]
	_ = j.cmd.Process.Signal(os.Interrupt) // it may have ended
	select {
	case <-j.done:
		return j.err
	case <-time.After(patience):
		j.kill()
		return fmt.Errorf("it does not end %v after ^C", patience)
	}
}

// job is a command that runs on.
type job struct {
	command string
	cmd     *exec.Cmd
	done    chan struct{} // closed at its end, after err is set
	err     error
	shown   int // how much of its output the page has shown

	mu struct {
		sync.Mutex
		out bytes.Buffer
	}
}

func (j *job) wait() {
	j.err = j.cmd.Wait()
	close(j.done)
}

func (j *job) kill() {
	_ = j.cmd.Process.Signal(syscall.SIGKILL) // it may have ended
	<-j.done
}

// Write takes what the command prints.
func (j *job) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.out.Write(b)
}

func (j *job) output() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.out.String()
}

// kinds are what differs between two runs of the same command; any of a kind is as good as another.
var kinds = []string{
	`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?`,
	`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`,
	`\bsha256:[0-9a-f]+`,
	`\b(?:\d+(?:\.\d+)?(?:ns|µs|ms|h|m|s))+\b`,
}

var varies = regexp.MustCompile("…|" + strings.Join(kinds, "|"))

// pattern makes a regular expression of lines as a page shows them.
func pattern(lines []string, end string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("^")
	for _, line := range lines {
		if strings.TrimSpace(line) == "…" {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		line = strings.TrimSuffix(tidy(line), "\n")
		at := 0
		for _, m := range varies.FindAllStringIndex(line, -1) {
			b.WriteString(regexp.QuoteMeta(line[at:m[0]]) + kind(line[m[0]:m[1]]))
			at = m[1]
		}
		b.WriteString(regexp.QuoteMeta(line[at:]) + `\n`)
	}
	return regexp.MustCompile(b.String() + end)
}

// kind returns the pattern for what a text is one of.
func kind(text string) string {
	for _, k := range kinds {
		if regexp.MustCompile("^(?:" + k + ")$").MatchString(text) {
			return k
		}
	}
	return ".*"
}

var spaces = regexp.MustCompile(`[ \t]+`)

// tidy leaves out how columns are aligned: their widths hang on what varies.
func tidy(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		b.WriteString(strings.TrimSpace(spaces.ReplaceAllString(line, " ")) + "\n")
	}
	return b.String()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
