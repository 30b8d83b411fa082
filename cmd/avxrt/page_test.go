package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPageMending does what docs/mending.md says, line by line, in a copy of what it needs of the
// repository, and holds each answer against what the page says of it.
func TestPageMending(t *testing.T) {
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	page := string(readFile(t, "../../docs/mending.md"))
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "sdk/go", "examples/03-mend"} {
		copyInto(t, filepath.Join(dir, name), filepath.Join("../..", name))
	}
	address := freeAddress(t)
	cmd := exec.Command("sh", "-c", pageScript(page))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(program)+string(os.PathListSeparator)+os.Getenv("PATH"),
		"AVXRT_HTTP_LISTEN="+address, "AVXRT_SERVER=http://"+address)
	out, err := cmd.CombinedOutput()
	if err != nil {
		logged, _ := os.ReadFile(filepath.Join(dir, "examples/03-mend/node.log"))
		t.Fatalf("%v\n%s\nthe node says:\n%s", err, out, logged)
	}
	if n := strings.Count(page, "# → "); strings.Count(string(out), "\nas the page says\n") != n {
		t.Errorf("%d answers were to be checked:\n%s", n, out)
	}
}

// answer is what a line of a page says of what it prints, spaces aside.
var answer = regexp.MustCompile(`^(.*?) +# → (.*)$`)

// pageScript makes a script of a page's blocks. It waits for the node to listen, as a
// person would, and ends it.
func pageScript(page string) string {
	var b strings.Builder
	b.WriteString("set -e\ntrap 'kill $! 2>/dev/null; wait' EXIT\n")
	for _, block := range strings.Split(page, "```sh\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		for line := range strings.SplitSeq(strings.TrimSpace(block), "\n") {
			if m := answer.FindStringSubmatch(line); m != nil {
				want := strings.Join(strings.Fields(m[2]), " ")
				fmt.Fprintf(&b, "out=$( { %s ; } 2>&1 )\nprintf '%%s\\n' \"$out\"\n", m[1])
				fmt.Fprintf(&b, "printf '%%s' \"$out\" | tr -s ' ' | grep -qF -- '%s' || { echo 'the page says: %s'; exit 1; }\necho as the page says\n", want, want)
				continue
			}
			b.WriteString(line + "\n")
			if strings.HasSuffix(line, "&") {
				b.WriteString("until avxrt sub ls >/dev/null 2>&1; do sleep 0.1; kill -0 $!; done\n")
			}
		}
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

// copyInto copies a file, or a folder with what is in it.
func copyInto(t *testing.T, to, from string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	if info.IsDir() {
		err = os.CopyFS(to, os.DirFS(from))
	} else {
		err = os.WriteFile(to, readFile(t, from), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
