package doctor

import "syscall"

// systems are the file systems that people meet, by the number that statfs gives.
var systems = map[int64]string{
	0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x2fc12fc1: "zfs", 0x01021994: "tmpfs", 0x858458f6: "ramfs", 0x794c7630: "overlayfs",
	0x6969: "nfs", 0x517b: "smb", 0xff534d42: "cifs", 0xfe534d42: "smb", 0x01021997: "9p", 0x65735546: "fuse", 0xf2f52010: "f2fs",
}

// diskOf returns the free bytes and the file system of a folder.
func diskOf(dir string) (free uint64, system string, known bool) {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0, "", false
	}
	return s.Bavail * uint64(s.Bsize), systems[int64(uint32(s.Type))], true
}
