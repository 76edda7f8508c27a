package badgerstore

import (
	"fmt"
	"strings"
	"sync/atomic"

	"dfs/cas"
)

// failure remembers the first error after which it is unknown what is stored.
type failure struct{ first atomic.Pointer[error] }

// set poisons the store, and returns what err returns from now on.
func (f *failure) set(cause error) error {
	err := fmt.Errorf("%w: %w", cas.ErrPoisoned, cause)
	f.first.CompareAndSwap(nil, &err)
	return f.err()
}

func (f *failure) err() error {
	if p := f.first.Load(); p != nil {
		return *p
	}
	return nil
}

// complaints is the logger given to Badger, which reports failures of its
// background work, and some others, nowhere else.
type complaints struct{ failed *failure }

// Errorf poisons the store, unless the complaint is about one unreadable value:
// Get finds that too, and returns it.
func (c *complaints) Errorf(format string, args ...any) {
	for _, reading := range []string{"Unable to read: Key", "Key: %v, Version", "Invalid read: vp"} {
		if strings.HasPrefix(format, reading) {
			return
		}
	}
	_ = c.failed.set(fmt.Errorf("badger: "+strings.TrimSpace(format), args...))
}

// Warningf poisons the store, since a failed compaction is a warning to Badger,
// unless the warning is about the size of a cache.
func (c *complaints) Warningf(format string, args ...any) {
	if strings.HasPrefix(format, "%s might be too small") || strings.HasPrefix(format, "Cache life expectancy") {
		return
	}
	c.Errorf(format, args...)
}

// Infof implements badger.Logger.
func (c *complaints) Infof(string, ...any) {}

// Debugf implements badger.Logger.
func (c *complaints) Debugf(string, ...any) {}
