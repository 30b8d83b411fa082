// Package rehearsal compares what two generations of a subscriber made of the same events,
// and says whether the new one may go into service. It is pure: package runtime runs the
// guests and tells it, event by event, what came of each.
//
// # What it promises
//
//   - The new generation is refused if it fails an event that the old one handled, though a
//     further attempt may go well, if it
//     goes over a limit where the old one did not, or if its fuel at the 99th percentile
//     is more than [MaxFuelRatio] times the old one's.
//   - What is emitted and what is written are compared and reported; only [Rules].Same makes
//     a difference there a reason to refuse.
//   - A [Report] is bounded: of each kind of difference it counts all and keeps [MaxShown].
//     Its text is fit for a terminal, whatever events and guests say.
//
// # What it does not
//
// It does not time anybody: how long the runs took is reported, and no reason to refuse,
// because it depends on who else uses the machine.
package rehearsal
