package harness

import (
	"fmt"
	"math"
	"time"
)

// Unit is what a figure counts, and which way is better.
type Unit uint8

// The two units. The zero value is a rate.
const (
	PerSecond Unit = iota // how many things a second: more is better
	Nanos                 // how many nanoseconds for one thing: less is better
)

// Measure is what one run of one side gives.
type Measure struct {
	Count  int           // things handled: events, matches, calls
	Took   time.Duration // for all of them; setting up and closing are left out
	Digest uint64        // of the result, see [Digest]; the two sides of a pair must agree
}

// Side does its work once in dir, a folder of its own that is empty and goes afterwards.
type Side func(dir string) (Measure, error)

// Case is one comparison.
type Case struct {
	Name  string // "log/replay"
	Rival string // "jetstream", a variant behind a slash: "jetstream/syncalways"
	Unit  Unit

	Ours, Theirs Side

	// Timed says that the sides run for a set time, each as far as it gets, so their counts
	// differ. Without it a case whose sides are a hundredfold apart would either measure one
	// of them for an instant or wait for the other for ever.
	Timed bool

	// Check shows, before anything is timed, that both sides come to the same result. It
	// may also set up what the sides share in dir, which goes with the case. Optional: where
	// the digests of a run say it all they are enough.
	Check func(dir string) error

	// Close gives up what Check set up, also where that failed half-way. Optional.
	Close func() error
}

// figure turns a measure into a number of the unit.
func (u Unit) figure(m Measure) float64 {
	if u == Nanos {
		return float64(m.Took.Nanoseconds()) / float64(m.Count)
	}
	return float64(m.Count) / m.Took.Seconds()
}

// ratio says how many times better ours is.
func (u Unit) ratio(ours, theirs float64) float64 {
	if u == Nanos {
		return theirs / ours
	}
	return ours / theirs
}

// format gives a figure with its unit. Below 100 a digit behind the point still says something.
func (u Unit) format(v float64) string {
	digits := 0
	if math.Abs(v) < 100 {
		digits = 1
	}
	if u == Nanos {
		return fmt.Sprintf("%.*fns", digits, v)
	}
	return fmt.Sprintf("%.*f/s", digits, v)
}

// valid says what is wrong with a measure.
func (m Measure) valid() error {
	if m.Count <= 0 || m.Took <= 0 {
		return fmt.Errorf("handled %d in %v: nothing to compare", m.Count, m.Took)
	}
	return nil
}

// same says how the results of a pair differ.
func (c Case) same(ours, theirs Measure) error {
	if ours.Count != theirs.Count && !c.Timed {
		return fmt.Errorf("the results differ: ours handled %d, theirs %d", ours.Count, theirs.Count)
	}
	if ours.Digest != theirs.Digest {
		return fmt.Errorf("the results differ: digest %016x ours, %016x theirs", ours.Digest, theirs.Digest)
	}
	return nil
}
