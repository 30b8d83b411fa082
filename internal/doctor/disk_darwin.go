package doctor

import "syscall"

// diskOf returns the free bytes and the file system of a folder.
func diskOf(dir string) (free uint64, system string, known bool) {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0, "", false
	}
	name := ""
	for _, c := range s.Fstypename {
		if c == 0 {
			break
		}
		name += string(rune(c))
	}
	return s.Bavail * uint64(s.Bsize), name, true
}
