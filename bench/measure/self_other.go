//go:build !unix

package measure

// Self returns the CPU seconds that this process has taken so far: here they are not known.
func Self() (user, sys float64) { return 0, 0 }
