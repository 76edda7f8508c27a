//go:build !linux

package measure

// look knows nothing.
func look(int) (sample, bool) { return sample{}, false }
