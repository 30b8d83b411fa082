// Package abi is the contract between the host and a guest: what an event is, how it
// crosses the border as bytes, the status codes of the host functions and the limits
// that both sides may rely on. The module name of the contract is [Module].
//
// # What it promises
//
//   - [Event] has one binary form, the frame. [AppendFrame] writes it, [DecodeFrame]
//     reads it, and for every frame that decodes, encoding it again gives the same
//     meaning back. The byte layout never changes within major version 1; a longer
//     header (the hlen field) is how 1.x adds fields, and readers skip what they do not
//     know. testdata holds golden bytes.
//   - DecodeFrame neither allocates nor copies: the decoded strings and slices are views
//     into the frame. They live as long as the frame's bytes are left alone; [Event.Clone]
//     makes an independent copy.
//   - DecodeFrame accepts hostile input: every length is checked against the bytes that
//     are there, and the error names the field.
//
// # What it does not
//
// It does not check topics or keys (package router and the log do), it knows no
// transport, and it holds no state. It imports the standard library alone and compiles
// for GOOS=wasip1, so a guest written in Go may use it too.
//
// The numbers are little-endian, as WebAssembly memory is.
package abi
