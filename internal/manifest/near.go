package manifest

import (
	"fmt"

	"github.com/avx-platform/avxrt/internal/nearest"
	"github.com/avx-platform/avxrt/router"
)

// NearMisses tells of topics that look like a slip of the pen: a subscriber wants what no other
// one may emit, and one may emit almost the same. It may be meant, where the topic is published
// from outside.
func (m *Manifest) NearMisses() (out []string) {
	var grants []string
	by := map[string]string{}
	for i := range m.Subscribers {
		for _, emit := range m.Subscribers[i].Emits {
			grants = append(grants, emit.String())
			by[emit.String()] = m.Subscribers[i].Name
		}
	}
	for i := range m.Subscribers {
		s := &m.Subscribers[i]
		for _, topic := range s.Topics {
			grant := nearest.Word(topic.String(), grants...)
			if grant == "" || m.granted(topic) {
				continue
			}
			out = append(out, fmt.Sprintf("%s wants %s, which no subscriber emits; did you mean %q, which %s may emit?", s.Name, topic, grant, by[grant]))
		}
	}
	return out
}

// granted says whether some subscriber may emit what a pattern matches.
func (m *Manifest) granted(topic router.Pattern) bool {
	for i := range m.Subscribers {
		for _, emit := range m.Subscribers[i].Emits {
			if emit.Overlaps(topic) {
				return true
			}
		}
	}
	return false
}
