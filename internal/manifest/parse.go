package manifest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/BurntSushi/toml"

	"github.com/avx-platform/avxrt/internal/nearest"
)

// Load reads and checks the manifest at path. Only a regular file is read.
func Load(path string, env LookupEnv) (*Manifest, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	text, err := readFile(absolute)
	if err != nil {
		return nil, &Error{File: path, Reason: err.Error(), Hint: "name the manifest as the argument, or make a project: avxrt new NAME --lang LANGUAGE"}
	}
	m, err := parse(text, path, filepath.Dir(absolute), env)
	if m != nil {
		m.Path = absolute
	}
	return m, err
}

// readFile does not follow a link and does not wait for the writer of a pipe.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, syscall.ELOOP):
		return nil, errors.New("is a symbolic link; name the file itself")
	case errors.Is(err, os.ErrNotExist):
		return nil, errors.New("does not exist")
	case err != nil:
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	return io.ReadAll(io.LimitReader(f, maxBytes+1))
}

// Parse checks the text of a manifest. Relative paths in it are relative to dir; those of
// the environment to the working directory. The error joins one [*Error] per problem.
func Parse(text []byte, dir string, env LookupEnv) (*Manifest, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return parse(text, "", absolute, env)
}

func parse(text []byte, file, dir string, env LookupEnv) (*Manifest, error) {
	r := &report{file: file}
	places, err := scanPlaces(string(text))
	var bound *errBound
	if errors.As(err, &bound) {
		r.add(bound.at, "", "", "%s", bound.reason)
		return nil, r.err()
	}
	manifestWords.check(r, places)
	var in raw
	if _, err := toml.Decode(string(text), &in); err != nil {
		addParseError(r, err, places)
		return nil, r.err()
	}
	b := &builder{report: r, dir: dir, env: env, at: map[string]position{}}
	for _, p := range places {
		if _, seen := b.at[p.path]; !seen {
			b.at[p.path] = p.at
		}
	}
	m := b.build(&in)
	if err := r.err(); err != nil {
		return nil, err
	}
	return m, nil
}

func addParseError(r *report, err error, places []place) {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		addTypeError(r, strings.TrimPrefix(err.Error(), "toml: "), places)
		return
	}
	reason := pe.Message
	if reason == "" {
		reason = pe.Error()
	}
	r.add(position{pe.Position.Line, max(pe.Position.Col, 1)}, pe.LastKey, "", "%s", reason)
}

// typeError is how the library words a value of the wrong type; it has no other form.
var typeError = regexp.MustCompile(`^line (\d+) \(last key "(.*)"\): (.*)$`)

func addTypeError(r *report, text string, places []place) {
	m := typeError.FindStringSubmatch(text)
	if m == nil {
		r.add(position{}, "", "", "%s", text)
		return
	}
	line, _ := strconv.Atoi(m[1])
	at := position{line, 1}
	for _, p := range places {
		if p.at.line == line && p.known == m[2] {
			at = p.at
		}
	}
	r.add(at, m[2], "", "%s", m[3])
}

// check refuses keys that the file does not have in this version.
func (v *vocabulary) check(r *report, places []place) {
	refused := ""
	for _, p := range places {
		switch {
		case v.knows(p.known):
			continue
		case refused != "" && strings.HasPrefix(p.path, refused):
			continue // one word about a table is enough
		}
		refused = p.path
		table, key := "", p.known
		if i := strings.LastIndexByte(p.known, '.'); i >= 0 {
			table, key = p.known[:i], p.known[i+1:]
		}
		if slices.Contains(v.later, p.known) {
			r.add(p.at, "", "remove it", "%q is known, but not available in this version", p.known)
			continue
		}
		where := "at the top"
		if table != "" {
			where = "in [" + table + "]"
			if slices.Contains(v.lists, table) {
				where = "in [[" + table + "]]"
			}
		}
		r.add(p.at, "", v.suggest(table, key), "unknown key %q %s", cut(key), where)
	}
}

// suggest names the known key that may be meant, or lists what there is.
func (v *vocabulary) suggest(table, key string) string {
	var all []string
	for _, k := range v.known {
		parent, name := "", k
		if i := strings.LastIndexByte(k, '.'); i >= 0 {
			parent, name = k[:i], k[i+1:]
		}
		if parent == table {
			all = append(all, name)
		}
	}
	if meant := nearest.Word(key, all...); meant != "" {
		return fmt.Sprintf("did you mean %q?", meant)
	}
	if len(all) > 0 {
		return "known here: " + strings.Join(all, ", ")
	}
	return ""
}

// cut keeps what a message needs of a key: the file may hold a very long one.
func cut(key string) string {
	const most = 64
	if len(key) <= most {
		return key
	}
	return strings.ToValidUTF8(key[:most], "") + "…"
}
