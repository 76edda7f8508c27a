package client

import (
	"sync"
	"time"

	"dfs/client/worktree"
	"dfs/manifest"
)

const (
	settleStep  = time.Millisecond
	settleSteps = 100
)

// clock is the file system's idea of now. A file whose ctime is not before it
// may still be written without its times showing it, so it is not read until the
// clock has moved on. The process's own clock is ahead of file times and plays no part.
type clock struct {
	root *worktree.Root
	mu   sync.Mutex
	now  manifest.Time
	late manifest.Time // a ctime that the clock did not reach; zero: none
}

// settle returns once the file system's clock is past e's ctime, or
// gives up when that lies in the future.
func (c *clock) settle(e worktree.Entry) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range settleSteps {
		ahead := c.late != manifest.Time{} && e.Ctime.Compare(c.late) >= 0
		if ahead || e.Ctime.Compare(c.now) < 0 {
			return nil
		}
		if i > 0 {
			time.Sleep(settleStep)
		}
		if c.now, err = c.root.Probe(); err != nil {
			return err
		}
	}
	c.late = e.Ctime
	return nil
}

// read returns the file system's time as it was last looked at.
func (c *clock) read() manifest.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}
