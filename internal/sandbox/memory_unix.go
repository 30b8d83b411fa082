//go:build unix

package sandbox

import "syscall"

// reserve takes address space from the system, which gives memory to it page by page as the
// guest touches it, zeroed, and counts none of it as Go's heap.
func reserve(size uint64) ([]byte, error) {
	b, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|mapNoReserve)
	if err == nil {
		small(b)
	}
	return b, err
}

func release(b []byte) { _ = syscall.Munmap(b) }
