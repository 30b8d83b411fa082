package harness

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
)

// MinPairs is the least number of pairs a case is measured with: the median of fewer says
// little on a machine that others use too.
const MinPairs = 5

// Options say how cases are run. The zero value is ready for use.
type Options struct {
	Pairs int    // default and least: MinPairs
	Dir   string // where the folders of the sides are made; default: that of temporary files
}

// Run runs the cases one after the other and writes a line for each to w. It ends at the
// first error.
func Run(w io.Writer, cases []Case, opts Options) error {
	opts.Pairs = max(opts.Pairs, MinPairs)
	for _, c := range cases {
		r, err := c.run(opts)
		if err != nil {
			return fmt.Errorf("%s against %s: %w", c.Name, c.Rival, err)
		}
		if _, err := fmt.Fprintln(w, r.line(c)); err != nil {
			return err
		}
	}
	return nil
}

// result holds the figures of the pairs.
type result struct{ ours, theirs, ratios []float64 }

// run measures the case; the folder of Check lasts as long.
func (c Case) run(opts Options) (r result, err error) {
	err = inFolder(opts.Dir, func(own string) (err error) {
		if c.Close != nil {
			defer func() { err = errors.Join(err, c.Close()) }()
		}
		if c.Check != nil {
			if err := c.Check(own); err != nil {
				return fmt.Errorf("check: %w", err)
			}
		}
		r, err = c.pairs(opts)
		return err
	})
	return r, err
}

func (c Case) pairs(opts Options) (r result, err error) {
	for i := range opts.Pairs {
		ours, theirs, err := c.pair(opts.Dir, i%2 == 1)
		if err != nil {
			return r, err
		}
		r.add(c.Unit, ours, theirs)
	}
	return r, nil
}

// pair runs both sides once.
func (c Case) pair(dir string, theirsFirst bool) (ours, theirs Measure, err error) {
	runOurs := func() error { return side(dir, "ours", c.Ours, &ours) }
	runTheirs := func() error { return side(dir, "theirs", c.Theirs, &theirs) }
	first, second := runOurs, runTheirs
	if theirsFirst {
		first, second = runTheirs, runOurs
	}
	if err := first(); err != nil {
		return ours, theirs, err
	}
	if err := second(); err != nil {
		return ours, theirs, err
	}
	return ours, theirs, c.same(ours, theirs)
}

// side runs one side in a folder of its own. What the other side left for the garbage
// collector is cleared away before, not on this one's time.
func side(dir, name string, s Side, m *Measure) error {
	runtime.GC()
	err := inFolder(dir, func(own string) (err error) {
		*m, err = s(own)
		return err
	})
	if err == nil {
		err = m.valid()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func inFolder(dir string, do func(dir string) error) error {
	own, err := os.MkdirTemp(dir, "avxrt-peers-")
	if err != nil {
		return err
	}
	return errors.Join(do(own), os.RemoveAll(own))
}

func (r *result) add(u Unit, ours, theirs Measure) {
	a, b := u.figure(ours), u.figure(theirs)
	r.ours, r.theirs, r.ratios = append(r.ours, a), append(r.theirs, b), append(r.ratios, u.ratio(a, b))
}

func (r result) line(c Case) string {
	return fmt.Sprintf("peer %s rival=%s ours=%s theirs=%s ratio=%.2f spread=%.2f..%.2f", c.Name, c.Rival,
		c.Unit.format(median(r.ours)), c.Unit.format(median(r.theirs)),
		median(r.ratios), slices.Min(r.ratios), slices.Max(r.ratios))
}

// median is the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}
