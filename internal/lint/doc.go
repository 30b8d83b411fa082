// Package lint is the law of the house as tests: who may import whom, which packages own
// which dependency, what every package must say of itself, and how large things may grow.
// It has no code outside of its tests and promises nothing at run time.
//
// When a test here fails, change the code, not the law; a reason to change the law is
// written down in docs/adr.
package lint
