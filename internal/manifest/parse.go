package manifest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
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
		hint := "name the manifest as the argument, or make a project: avxrt new NAME --lang LANGUAGE"
		if inner := filepath.Join(path, "avxrt.toml"); isFile(inner) {
			hint = "did you mean " + inner + "?"
		}
		return nil, &Error{File: path, Reason: err.Error(), Hint: hint}
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

func isFile(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
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
	b := &builder{report: r, dir: dir, env: env, at: positions(places)}
	var in raw
	if b.told, err = decode(r, text, &manifestWords, b.at, &in); err != nil {
		return nil, r.err()
	}
	m := b.build(&in)
	if err := r.err(); err != nil {
		return nil, err
	}
	return m, nil
}

// positions returns where each path is first.
func positions(places []place) map[string]position {
	at := make(map[string]position, len(places))
	for _, p := range places {
		if _, seen := at[p.path]; !seen {
			at[p.path] = p.at
		}
	}
	return at
}

// decode fills shapes from a text and returns the paths of the values that have another type.
// They are reported, and so is a text that is not TOML, for which there is an error.
func decode(r *report, text []byte, words *vocabulary, at map[string]position, shapes ...any) (told map[string]bool, err error) {
	var tree map[string]any
	if _, err := toml.Decode(string(text), &tree); err != nil {
		addParseError(r, err)
		return nil, err
	}
	f := &filler{report: r, words: words, at: at, told: map[string]bool{}}
	for _, shape := range shapes {
		f.fill("", "", tree, reflect.ValueOf(shape).Elem())
	}
	return f.told, nil
}

// bareWord is what the library says of a value that is a word without quotes.
var bareWord = regexp.MustCompile(`^expected value but found "([^"]+)" instead`)

// bareUnit is what the library says of a number with a unit and without quotes.
var bareUnit = regexp.MustCompile(`^expected a (top-level item|comma|value|inline table).* got '[A-Za-z.]' instead`)

// bareHint says how a word is written that stands in place of a key's value.
func bareHint(known, word string) string {
	for _, k := range keyTable {
		switch {
		case k.Path != known:
		case k.Type == Switch:
			return "use true or false"
		case k.Type == Integer || k.Type == Number:
			return "write a number"
		}
	}
	return fmt.Sprintf("write it in quotes: %q", cut(word))
}

func addParseError(r *report, err error) {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		r.add(position{}, "", "", "%s", strings.TrimPrefix(err.Error(), "toml: "))
		return
	}
	reason, hint := pe.Message, ""
	if reason == "" {
		reason = pe.Error()
	}
	switch m := bareWord.FindStringSubmatch(reason); {
	case m != nil:
		hint = bareHint(pe.LastKey, m[1])
	case bareUnit.MatchString(reason):
		hint = `if it is a size, a time or a count, write it in quotes: "16MiB", "10s", "50M"`
	}
	r.add(position{pe.Position.Line, max(pe.Position.Col, 1)}, pe.LastKey, hint, "%s", reason)
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
