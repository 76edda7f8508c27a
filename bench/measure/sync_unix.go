//go:build unix && !linux

package measure

import "syscall"

// SyncAll writes out all that is dirty, on all file systems.
func SyncAll() { syscall.Sync() }
