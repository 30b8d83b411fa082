package routerarea

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// workload is subscriptions and topics in our spelling.
type workload struct {
	patterns []string
	topics   []string
}

func texts(n int, of func(i int) string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = of(i)
	}
	return out
}

// draw returns n topics for numbers below limit, uniform or by Zipf's law (s = 1.1). The
// same topic is the same memory, so a miss of the cache is the matcher's.
func draw(n, limit int, zipf bool, of func(i int) string) []string {
	rng := rand.New(rand.NewPCG(7, 8))
	law := rand.NewZipf(rng, 1.1, 1, uint64(limit-1))
	perm := rng.Perm(limit)
	have := map[int]string{}
	return texts(n, func(int) string {
		i := rng.IntN(limit)
		if zipf {
			i = perm[law.Uint64()]
		}
		if _, ok := have[i]; !ok {
			have[i] = of(i)
		}
		return have[i]
	})
}

// natsFixture is the one of nats-server's own benchmark: all paths of up to five of eight
// words, and three wildcards.
func natsFixture() []string {
	words := []string{"synadia", "nats", "jetstream", "nkeys", "jwt", "deny", "auth", "drain"}
	level, all := words, []string(nil)
	for range 5 {
		all = append(all, level...)
		var next []string
		for _, p := range level {
			for _, w := range words {
				next = append(next, p+"."+w)
			}
		}
		level = next
	}
	return append(slices.Clip(all), "cloud.*.**", "cloud.nats.component.**", "cloud.*.*.nkeys.*")
}

func order(i int) string { return fmt.Sprintf("orders.%d.%d.created", i%1000, i) }

func thing(i int) string { return fmt.Sprintf("area%d.thing%d.part%d.changed", i%100, i, i%7) }

// mixed is 70 % literals, 20 % one * in four shapes, 9 % with ** at the end, 1 % with a leading *.
func mixed(n int) []string {
	return texts(n, func(i int) string {
		switch k := i % 100; {
		case k < 70:
			return thing(i)
		case k < 75:
			return fmt.Sprintf("area%d.thing%d.part%d.*", i%100, i, i%7)
		case k < 80:
			return fmt.Sprintf("area%d.thing%d.*.changed", i%100, i)
		case k < 85:
			return fmt.Sprintf("area%d.*.part%d.thing%d", i%100, i%7, i)
		case k < 90:
			return fmt.Sprintf("area%d.thing%d.*", i%100, i)
		case k < 99:
			return fmt.Sprintf("area%d.thing%d.**", i%100, i)
		}
		return fmt.Sprintf("*.thing%d.part%d.changed", i, i%7)
	})
}

// never returns n topics of which no two are equal; one in seven concerns somebody.
func never(n, subs int) []string {
	return texts(n, func(i int) string {
		return fmt.Sprintf("area%d.thing%d.u%d.changed", i%subs%100, i%subs, i)
	})
}
