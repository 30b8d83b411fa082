// Package wasmarea compares what it costs to run a guest: with Extism's go-sdk on the same
// handler, and with the engine itself under its own time limit on the same work.
//
// Both sides run under limits of time and memory, because that is what a host of strangers'
// code needs: avxrt by fuel, Extism and the engine by the engine's close-on-context-done.
// The variants called unlimited show them without any limit of time. Extism gets one compiled
// plugin and one instance that is called again and again, its fastest way; every input is
// copied eight bytes a call, as its development kits do.
package wasmarea
