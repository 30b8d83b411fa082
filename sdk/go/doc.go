// Package avx is for writing avxrt subscribers in Go, with the standard toolchain:
//
//	package main
//
//	import avx "github.com/avx-platform/avxrt/sdk/go"
//
//	func init() { avx.Handle(handle) }
//	func main() {}
//
//	func handle(ev *avx.Event) error {
//		return avx.Emit("mail.wanted", ev.Key, ev.Data)
//	}
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -o hello.wasm
//
// # What the host promises a guest
//
//   - The handler is called once per event. What it emits and writes is kept when it
//     returns nil, and dropped when it returns an error or panics: [Retry], [Reject],
//     [Skip] and [Stop] say what shall become of the event; any other error is a Reject.
//   - State is [Get], [Set], [Delete] and [Scan]. Variables are a cache: the host may start
//     over with a fresh instance between any two events.
//   - The same event and state give the same result: the clock is the event's, randomness
//     is seeded by it. Files and the network are not there.
//
// # What to know about Go guests
//
// They are large (about 2 MB) and their code is several times slower than that of C or
// Rust guests; encoding/json is slower still, which is why [JSON] is here: it reads front
// to back without reflection or allocation.
//
// Natively, outside of WebAssembly, the same calls go to a [Fake] host, so handlers are
// tested by the ordinary test tool.
//
// The package imports the standard library alone. Licence: MIT OR Apache-2.0.
package avx
