//go:build !linux

package bench

import "errors"

// newMemoryGroup says that there is none.
func newMemoryGroup(int64) (*memoryGroup, error) {
	return nil, errors.New("memory cannot be bounded here: that needs Linux's control groups")
}
