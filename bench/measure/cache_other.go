//go:build !linux

package measure

import (
	"errors"
	"fmt"
	"runtime"
)

// DropCaches makes the cache cold, on Linux alone.
func DropCaches() error {
	return fmt.Errorf("the cache stays warm: %w on %s", errors.ErrUnsupported, runtime.GOOS)
}
