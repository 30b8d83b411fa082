package cases

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/avx-platform/avxrt/internal/manifest"
)

// skipped are folders in which nobody keeps cases.
var skipped = []string{"node_modules", "target"}

// Find lists the files of cases that the arguments name: files, folders, or folders with
// /... behind them, which stands for all below that are not hidden.
func Find(args []string) ([]string, error) {
	var out []string
	for _, arg := range args {
		found, err := find(arg)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func find(arg string) ([]string, error) {
	if dir, ok := strings.CutSuffix(arg, "..."); ok && (dir == "" || strings.HasSuffix(dir, "/")) {
		return below(filepath.Clean(dir + "."))
	}
	info, err := os.Stat(arg)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return []string{arg}, nil
	}
	found, err := filepath.Glob(filepath.Join(arg, "*"+manifest.CasesSuffix))
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%s has no files of cases (*%s); name files, or %s for all below", arg, manifest.CasesSuffix, filepath.Join(arg, "..."))
	}
	return found, err
}

func below(dir string) (out []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != dir && (strings.HasPrefix(d.Name(), ".") || slices.Contains(skipped, d.Name())):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(d.Name(), manifest.CasesSuffix):
			out = append(out, path)
		}
		return nil
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("there are no files of cases (*%s) in or below %s; avxrt new makes a project with one, docs/cases.md says what is in it", manifest.CasesSuffix, dir)
	}
	return out, err
}
