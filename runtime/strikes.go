package runtime

import (
	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
	"github.com/avx-platform/avxrt/log"
)

// strikesLook is how many events of the log are looked at for [Runtime.strikes] at most: some
// milliseconds of a start. Behind more that do not concern a subscriber it begins afresh.
const strikesLook = 100_000

// strikes returns how many events in a row before its cursor a lane gave up because the module of
// gen trapped on them. It is read from the dead letters and not kept, because nobody needs it but
// the start that comes after a module was held to be broken. What cannot be read counts as none.
func (r *Runtime) strikes(gen *generation, at position, lane, lanes int) (n int) {
	if letters, err := r.store.LetterCount(gen.spec.Name); err != nil || letters == 0 || at.Next <= 1 {
		return 0
	}
	looked := 0
	match := func(topic string) bool { looked++; return gen.match(topic) || looked > strikesLook }
	reader := r.store.NewReader(log.ReadOptions{From: at.Next - 1, Backward: true, Match: match, Borrow: true})
	defer reader.Close()
	var ev abi.Event
	for n < delivery.BreakAfter-1 && reader.Next(&ev) && looked <= strikesLook {
		if partition(ev.Key, ev.Seq, lanes) != lane {
			continue
		}
		trapped := false
		err := r.store.DeadLetters(gen.spec.Name, ev.Seq-1, func(d log.DeadLetter) bool {
			trapped = d.Seq == ev.Seq && d.Reason == "trap" && d.Digest == gen.module.Digest()
			return false
		})
		if err != nil || !trapped {
			break
		}
		n++
	}
	return n
}
