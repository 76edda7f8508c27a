//go:build unix

package machine

import "golang.org/x/sys/unix"

// withMemory calls fn with so much fresh memory and then unmaps it.
func withMemory(bytes int, fn func([]byte)) {
	b, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return
	}
	fn(b)
	unix.Munmap(b)
}
