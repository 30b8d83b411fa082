package sandbox

import (
	"os"
	"syscall"
	"unsafe"
)

var pageSize = os.Getpagesize()

// madvNoHugePage is MADV_NOHUGEPAGE. With huge pages, which some systems give unasked, the
// first byte that a guest writes would take 2 MiB.
const madvNoHugePage = 15

// small asks the system to give pages one at a time.
func small(b []byte) { _ = syscall.Madvise(b, madvNoHugePage) }

// resident counts the bytes of b that the system has given, those that were ever touched:
// of a guest's memory often a hundredth. seen is a buffer that is reused.
func resident(b []byte, seen *[]byte) int64 {
	if len(b) == 0 {
		return 0
	}
	pages := (len(b) + pageSize - 1) / pageSize
	if cap(*seen) < pages {
		*seen = make([]byte, pages)
	}
	in := (*seen)[:pages]
	_, _, errno := syscall.Syscall(syscall.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(&in[0])))
	if errno != 0 {
		return int64(len(b))
	}
	n := int64(0)
	for _, page := range in {
		n += int64(page & 1)
	}
	return n * int64(pageSize)
}
