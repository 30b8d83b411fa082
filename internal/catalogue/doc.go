// Package catalogue explains every stable code that the program gives.
//
//   - A code never changes its meaning and is never used again.
//   - Codes: AVX1… from the command line and the node's start, AVX2… from the HTTP interface,
//     AVX3… for what befalls a guest. The words by which guests' ends are told (fuel, timeout,
//     denied, …) find their entries as well.
//   - The test of this package reads the source: a code or word that is in use and not here,
//     or here and not in use, fails it. So does a title of the HTTP interface that differs.
//
// It knows nothing of who gives the codes.
package catalogue
