//go:build !linux

package badgerstore

const fsyncCoversMappings = false

// dropCached does nothing where the page cache cannot be told what to forget.
func dropCached(string) error { return nil }
