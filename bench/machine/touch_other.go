//go:build !unix

package machine

import "runtime/debug"

// withMemory calls fn with so much memory and then gives it back.
func withMemory(bytes int, fn func([]byte)) {
	fn(make([]byte, bytes))
	debug.FreeOSMemory()
}
