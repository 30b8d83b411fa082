//go:build wasip1

package avx

import (
	"runtime"
	"unsafe"
)

//go:wasmimport avx1 next
func avxNext(buf unsafe.Pointer, capacity int32) int32

//go:wasmimport avx1 fail
func avxFail(code int32, message string)

//go:wasmimport avx1 emit
func avxEmit(frame unsafe.Pointer, length int32) int32

//go:wasmimport avx1 reply
func avxReply(data unsafe.Pointer, length int32) int32

//go:wasmimport avx1 kv_get
func avxGet(key string, buf unsafe.Pointer, capacity int32) int32

//go:wasmimport avx1 kv_set
func avxSet(key string, value unsafe.Pointer, length int32) int32

//go:wasmimport avx1 kv_del
func avxDel(key string) int32

//go:wasmimport avx1 kv_scan
func avxScan(prefix, after string, buf unsafe.Pointer, capacity int32) int32

//go:wasmimport avx1 conf
func avxConf(key string, buf unsafe.Pointer, capacity int32) int32

//go:wasmimport avx1 log
func avxLog(level int32, message string)

//go:wasmimport avx1 now
func avxNow() int64

//go:wasmimport avx1 rand
func avxRand(buf unsafe.Pointer, length int32)

func at(b []byte) (unsafe.Pointer, int32) { return unsafe.Pointer(unsafe.SliceData(b)), int32(len(b)) }

func hostFail(code int32, message string) { avxFail(code, message) }
func hostEmit(frame []byte) int32         { p, n := at(frame); return avxEmit(p, n) }
func hostReply(data []byte) int32         { p, n := at(data); return avxReply(p, n) }
func hostGet(key string, buf []byte) int32 {
	p, n := at(buf)
	return avxGet(key, p, n)
}
func hostSet(key string, value []byte) int32 { p, n := at(value); return avxSet(key, p, n) }
func hostDelete(key string) int32            { return avxDel(key) }
func hostScan(prefix, after string, buf []byte) int32 {
	p, n := at(buf)
	return avxScan(prefix, after, p, n)
}
func hostConf(key string, buf []byte) int32 { p, n := at(buf); return avxConf(key, p, n) }
func hostLog(level int32, message string)   { avxLog(level, message) }
func hostNow() int64                        { return avxNow() }
func hostRand(b []byte)                     { p, n := at(b); avxRand(p, n) }

//go:wasmexport avx_abi_1
func avxABI1() {}

var (
	receive = make([]byte, 64<<10)
	current Event
)

// avxRun pulls events until the host has no more.
//
//go:wasmexport avx_run
func avxRun() int32 {
	for {
		p, n := at(receive)
		n = avxNext(p, n)
		switch {
		case n <= 0:
			runtime.Gosched() // let the garbage collector finish its work: nothing else does
			return 0
		case int(n) > len(receive):
			receive = make([]byte, n+n/4) // the next call gives the event again
			continue
		}
		current.decode(receive[:n])
		if err := handle(&current); err != nil {
			fail(err)
		}
	}
}
