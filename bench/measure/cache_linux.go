package measure

import (
	"fmt"
	"os"
	"syscall"
)

// SyncAll writes out all that is dirty, on all file systems.
func SyncAll() { syscall.Sync() }

// DropCaches makes the cache cold: it writes out what is dirty and has the
// kernel forget all clean pages, directory entries and inodes. Only root may.
func DropCaches() error {
	SyncAll()
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0o200); err != nil {
		return fmt.Errorf("the cache stays warm, only root can drop it: %w", err)
	}
	return nil
}
