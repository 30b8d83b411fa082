// Package harness measures avxrt and a rival on the same work, in turn, in one process, and
// prints one line a case:
//
//	peer <area>/<case> rival=<name> ours=<figure><unit> theirs=<figure><unit> ratio=<x> spread=<min>..<max>
//
// # What it promises
//
//   - Pairs: a case is at least [MinPairs] pairs of runs, ours and theirs, each in a fresh
//     empty folder of the same file system; who begins changes from pair to pair, so that
//     neither gains from a warm or a tired disk. The figures are the medians of the sides,
//     the ratio is the median of the ratios of the pairs, the spread their least and greatest.
//   - Direction: the ratio says how many times better ours is, for rates ours/theirs, for
//     times theirs/ours.
//   - Same work: [Case.Check] runs before anything is timed, and the count and the digest of
//     what the two sides of each pair report must be equal, else there is no line. Only where
//     the sides run for a set time ([Case.Timed]) the counts may differ.
//   - Nothing else goes to the writer. Errors name the case and the side.
//
// # What it does not
//
// It does not know how either side is driven, or whether a setting is a rival's best: each
// area says so beside the code. It starts no goroutine and keeps nothing between cases.
package harness
