// Package nearest finds the word that somebody meant.
//
// It is what every "did you mean" of the program asks: verbs, flags, values, names of
// subscribers, keys of files, codes of errors.
//
//   - Word and Hint take time in proportion to the words that are known and not to a hostile
//     word: one that is much longer than all of them is not compared.
//   - They depend on nothing but their arguments; among equals the first word wins.
package nearest
