package replica

import "golang.org/x/sys/unix"

// StableInodes reports whether the file system of path keeps inode numbers over a
// remount, as far as its type tells. FAT makes them up, and what lies behind FUSE and
// SMB may too.
func StableInodes(path string) bool {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return false
	}
	switch uint32(st.Type) {
	case unix.MSDOS_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC:
		return false
	}
	return true
}
