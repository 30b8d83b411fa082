// Package client talks to a node over HTTP; the verbs of the command line are thin lines
// over it.
//
// It promises that a refusal of the node arrives as a [*wire.Problem] with its stable code,
// that a node that is not there gives an error which says what to do, and that [Client.Tail]
// goes on where it was after a broken connection. It does not retry publishes: ids make
// that safe for the caller to do. It starts no goroutine.
package client
