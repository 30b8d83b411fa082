package manifest

import (
	"fmt"
	"strings"
)

// Cycle is a way on which events can come back to the subscriber that caused them.
type Cycle struct{ Subscribers []string } // in order; the last one feeds the first

// String tells the way and what ends it.
func (c Cycle) String() string {
	way := strings.Join(append(c.Subscribers, c.Subscribers[0]), " → ")
	return fmt.Sprintf("%s: what they may emit can come back to where it began; the hop limit ends a loop, with a dead letter. If this is meant, let the guests end it themselves", way)
}

// Cycles returns a shortest cycle of each knot in the graph of who may emit what others
// want, beginning with the subscriber that the manifest names first. Timers that wait a
// second or longer make no harmful loop, but cannot be told apart here.
func (m *Manifest) Cycles() []Cycle {
	edges := make([][]int, len(m.Subscribers))
	for i := range m.Subscribers {
		for k := range m.Subscribers {
			if feeds(&m.Subscribers[i], &m.Subscribers[k]) {
				edges[i] = append(edges[i], k)
			}
		}
	}
	var out []Cycle
	told := make([]bool, len(edges))
	for i := range edges {
		back := wayBack(edges, i)
		if back == nil || told[i] {
			continue
		}
		var c Cycle
		for _, k := range back {
			c.Subscribers = append(c.Subscribers, m.Subscribers[k].Name)
			told[k] = true
		}
		out = append(out, c)
	}
	return out
}

func feeds(from, to *Subscriber) bool {
	for _, emit := range from.Emits {
		for _, topic := range to.Topics {
			if emit.Overlaps(topic) {
				return true
			}
		}
	}
	return false
}

// wayBack returns the shortest way from i to itself, without its end; nil if there is none.
func wayBack(edges [][]int, i int) []int {
	before := make([]int, len(edges))
	for k := range before {
		before[k] = -1
	}
	for queue := []int{i}; len(queue) > 0; queue = queue[1:] {
		for _, k := range edges[queue[0]] {
			if k == i {
				way := []int{queue[0]}
				for way[0] != i {
					way = append([]int{before[way[0]]}, way...)
				}
				return way
			}
			if before[k] < 0 {
				before[k] = queue[0]
				queue = append(queue, k)
			}
		}
	}
	return nil
}
