//go:build !linux

package badgerstore

import "os"

const fsyncCoversMappings = false

// dropCached does nothing where the page cache cannot be told what to forget.
func dropCached(string) error { return nil }

// beginWriteBack does nothing where the system cannot be told to write without waiting.
func beginWriteBack(*os.File) {}
