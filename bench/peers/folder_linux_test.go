package main

import (
	"syscall"
	"testing"
)

func TestOnDisk(t *testing.T) {
	if got := onDisk("/proc", "second"); got != "/proc" {
		t.Errorf("what is not memory is left: got %q", got)
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &s); err != nil || s.Type != tmpfsMagic {
		t.Skip("/dev/shm is not in memory here")
	}
	if got := onDisk("/dev/shm", "second"); got != "second" {
		t.Errorf("memory passes for a disk: got %q", got)
	}
}
