package main_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/internal/build"
	"github.com/avx-platform/avxrt/internal/client"
)

// save is an edit of a new project that means something else each time: %d is its number.
type save struct {
	lang           build.Language
	args           []string // of avxrt new, besides the language
	file, old, new string
}

var saves = map[string]save{
	"c":              {build.C, nil, "main.c", `"big", 10`, `"big", 10%d`},
	"rust":           {build.Rust, nil, "main.rs", "_ => 10,", "_ => 10%d,"},
	"cargo":          {build.Rust, []string{"--cargo"}, "src/lib.rs", "_ => 10,", "_ => 10%d,"},
	"go":             {build.Go, nil, "main.go", "return 10\n", "return 10%d\n"},
	"assemblyscript": {build.AssemblyScript, nil, "assembly/index.ts", `"big", 10`, `"big", 10%d`},
}

var (
	builtIn = regexp.MustCompile(`built in ([0-9.]+) s`)
	swapped = regexp.MustCompile(`generation \d+ in service, ([0-9.]+) s after the compiler`)
)

// BenchmarkDevSave is the time from a save to the block that says that the new module is in
// service, with 100 past events replayed through it: save-ms. build-ms is the compiler's own,
// the look for the toolchain taken off, and beyond-ms what avxrt dev adds to it; all are medians.
func BenchmarkDevSave(b *testing.B) {
	program, err := binary()
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"c", "rust", "cargo", "go", "assemblyscript"} {
		b.Run("lang="+name, func(b *testing.B) { devSave(b, program, saves[name]) })
	}
}

// devProject makes the project of a row, and says how long the look for its toolchain takes.
func devProject(b *testing.B, program, top string, edit save) (dir string, check time.Duration) {
	b.Helper()
	create := exec.Command(program, append([]string{"new", "fraud", "--lang", string(edit.lang)}, edit.args...)...)
	create.Dir, dir = top, filepath.Join(top, "fraud")
	if out, err := create.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	if edit.lang == build.AssemblyScript { // the compiler of make wasm, as npm ci left it
		packages, err := filepath.Abs("../../sdk/assemblyscript/node_modules")
		if err != nil {
			b.Fatal(err)
		}
		if err := os.Symlink(packages, filepath.Join(dir, "node_modules")); err != nil {
			b.Fatal(err)
		}
	}
	start := time.Now()
	if _, err := build.Check(context.Background(), edit.lang, dir); err != nil {
		b.Skipf("%v (AssemblyScript's packages: npm ci --prefix sdk/assemblyscript)", err)
	}
	return dir, time.Since(start)
}

func devSave(b *testing.B, program string, edit save) {
	top := b.TempDir()
	dir, check := devProject(b, program, top, edit)
	cmd := exec.Command(program, "dev", dir, "--port-file", filepath.Join(top, "port"))
	cmd.Env = append(os.Environ(), "AVXRT_HTTP_LISTEN=127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}()
	devHistory(b, filepath.Join(top, "port"))
	path := filepath.Join(dir, edit.file)
	source, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(source), edit.old) {
		b.Fatalf("%s has no %q: %v", path, edit.old, err)
	}
	lines := bufio.NewScanner(out)
	var total, built, beyond []float64
	for i := 0; b.Loop(); i++ {
		text := strings.Replace(string(source), edit.old, fmt.Sprintf(edit.new, i), 1)
		start := time.Now()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
		compiler := 0.0
		for lines.Scan() && !swapped.MatchString(lines.Text()) {
			if m := builtIn.FindStringSubmatch(lines.Text()); m != nil {
				seconds, _ := strconv.ParseFloat(m[1], 64)
				compiler = 1000*seconds - float64(check.Milliseconds())
			}
		}
		took := float64(time.Since(start).Microseconds()) / 1000
		total, built, beyond = append(total, took), append(built, compiler), append(beyond, took-compiler)
	}
	for name, values := range map[string][]float64{"save-ms": total, "build-ms": built, "beyond-ms": beyond} {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], name)
	}
	b.ReportMetric(0, "ns/op")
}

// devHistory publishes what the saves replay.
func devHistory(b *testing.B, port string) {
	b.Helper()
	var server []byte
	for deadline := time.Now().Add(5 * time.Minute); len(server) == 0; {
		if time.Now().After(deadline) {
			b.Fatal("the node does not start")
		}
		server, _ = os.ReadFile(port)
		<-time.After(20 * time.Millisecond)
	}
	c, err := client.New(strings.TrimSpace(string(server)))
	if err != nil {
		b.Fatal(err)
	}
	for i := range 100 {
		data := fmt.Sprintf(`{"order":"o-%d","qty":%d}`, i, i)
		if _, err := c.PublishPlain(context.Background(), "orders.created", fmt.Sprint("o-", i), "application/json", []byte(data), "durable"); err != nil {
			b.Fatal(err)
		}
	}
	for {
		s, err := c.Subscriber(context.Background(), "fraud")
		if err != nil {
			b.Fatal(err)
		}
		if s.LagEvents == 0 {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
}
