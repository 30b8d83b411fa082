//go:build unix

package log

import (
	"fmt"
	"syscall"
)

// minFiles is what a store of some size needs beside the sockets of a server.
const minFiles = 256

// fileLimit returns how many files the engine may keep open: half of what the process may.
func fileLimit() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	if limit.Cur < minFiles {
		return 0, fmt.Errorf("the process may open %d files only, the store needs %d; raise the limit (ulimit -n 4096, or LimitNOFILE= in a systemd unit)", limit.Cur, minFiles)
	}
	return int(min(limit.Cur/2, 4096)), nil
}
