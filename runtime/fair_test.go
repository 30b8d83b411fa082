package runtime

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestFair lets five subscribers that burn much, one of them twice as much a run as the others, share
// a core with one that burns little. The heavy ones come to the same, and the light one,
// whenever it asks, waits for the run under way and for no other.
func TestFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFair(1)
		var shares [6]share
		var burnt [6]int64
		end := time.Now().Add(10 * time.Second)
		var wg sync.WaitGroup
		run := func(who int, fuel int64, pause time.Duration) (longest time.Duration) {
			for time.Now().Before(end) {
				time.Sleep(pause)
				asked := time.Now()
				f.begin(&shares[who])
				if burnt[who] > 0 { // of the first run nobody knows what it will burn
					longest = max(longest, time.Since(asked))
				}
				time.Sleep(time.Duration(fuel) * time.Microsecond) // a unit of fuel is a microsecond here
				burnt[who] += fuel
				f.end(&shares[who], fuel)
			}
			return longest
		}
		for heavy := range 4 {
			wg.Go(func() { run(heavy, 1000, 0) })
		}
		wg.Go(func() { run(4, 2000, 0) })
		wg.Go(func() {
			if longest := run(5, 10, 3*time.Millisecond); longest > 2*time.Millisecond {
				t.Errorf("the light one waited %v, the longest run takes 2ms", longest)
			}
		})
		wg.Wait()
		for heavy := 1; heavy < 5; heavy++ {
			if d := burnt[heavy] - burnt[0]; d > 3000 || d < -3000 {
				t.Errorf("heavy ones burnt %v", burnt[:5])
			}
		}
	})
}
