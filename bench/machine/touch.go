package machine

import (
	"runtime"
	"slices"
	"sync"
)

// TouchMemory takes so much anonymous memory, writes to each of its pages and
// gives it back, so that the host has memory behind what the next command
// gets. It takes no more than a third of what is available, and nothing where
// that is not known or there is none to be had.
func TouchMemory(bytes int64) {
	bytes = min(bytes, available()/3)
	if bytes <= 0 {
		return
	}
	withMemory(int(bytes), func(b []byte) {
		const page = 4096
		share := len(b)/runtime.GOMAXPROCS(0) + 1
		var wg sync.WaitGroup
		for part := range slices.Chunk(b, share) {
			wg.Go(func() {
				for i := 0; i < len(part); i += page {
					part[i] = 1
				}
			})
		}
		wg.Wait()
	})
}
