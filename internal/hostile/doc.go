// Package hostile makes guests and files that mean harm, for tests: modules that spin,
// recurse, flood and lie, and files that are damaged or claim too much. All of them are
// generated, from a seed where chance is involved, so that a failure can be seen again.
//
// It promises that [Guests] are valid modules of contract avx1 which do one bad thing each,
// that [Versions] are the mistakes of honest deployments, and nothing about the bytes of [File].
package hostile
