// Package measure runs commands, watches processes and keeps the file system
// in a state in which figures can be compared.
//
// Memory and the CPU time of a process that goes on are read from /proc, so
// on other systems than Linux they are 0. Memory is looked at every millisecond at
// first, and the longer it goes on the more seldom, down to every 20 ms: what a
// command takes for less long may be missed, except that PeakRSS also holds the
// kernel's own record of each process that was seen, and of the command as it
// ended. That record is no use where it is not above this process's own peak,
// since a command begins with the record of who started it.
//
// Trees that were measured are to be given to Discard and not deleted:
// creating files soon after many were deleted is up to ten times slower on
// some file systems (ext4 without a journal passes over every inode that was
// freed lately), and freeing blocks may reach the disk at once.
package measure

import (
	"context"
	"errors"
	"os/exec"
	"time"
)

// Usage is what a command took.
type Usage struct {
	Wall      float64 // seconds from before its start until it had ended and its output was read
	User, Sys float64 // CPU seconds, of it and of the children that it waited for
	PeakAnon  int64   // most anonymous memory, of it and all below it at one moment; 0: it was too short to tell
	PeakRSS   int64   // most resident memory, likewise
	Exit      int     // exit code, -1 for a signal

	Stdout, Stderr []byte // the last 64 KiB
}

const (
	// leastLooks is how many looks at a command tell its peak of memory.
	leastLooks = 5
	// inexact is what the kernel's records of peaks may be off by.
	inexact = 1 << 20
)

// Run runs a command with its arguments in the directory dir, with the
// environment env (nil: this process's own) and no input. A command that
// fails is no error: Exit tells it. An error means that it did not run, or that
// ctx ended it; then it was killed with all that it had started.
func Run(ctx context.Context, argv []string, env []string, dir string) (Usage, error) {
	if len(argv) == 0 {
		return Usage{}, errors.New("no command to run")
	}
	stdout, stderr := new(tail), new(tail)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, dir, stdout, stderr
	cmd.WaitDelay = 5 * time.Second // for output that something it left behind keeps open
	inGroup(cmd)
	EndWithUs(cmd)
	forgetPeak()
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return Usage{}, err
	}
	watch := Start(cmd.Process.Pid)
	err := cmd.Wait()
	wall := time.Since(start).Seconds()
	_, _, anon, rss := watch.Stop()
	if watch.looks < leastLooks {
		anon, rss = 0, 0
	}
	if most := maxRSS(cmd.ProcessState); most > ownPeak()+inexact {
		rss = max(rss, most)
	}
	u := Usage{
		Wall: wall, User: cmd.ProcessState.UserTime().Seconds(), Sys: cmd.ProcessState.SystemTime().Seconds(),
		PeakAnon: anon, PeakRSS: rss, Exit: cmd.ProcessState.ExitCode(), Stdout: stdout.b, Stderr: stderr.b,
	}
	if ctx.Err() != nil {
		return u, ctx.Err()
	}
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = nil
	}
	return u, err
}

// A tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	const keep = 64 << 10
	n := len(p)
	p = p[max(0, n-keep):]
	if over := len(t.b) + len(p) - keep; over > 0 {
		t.b = t.b[:copy(t.b, t.b[over:])]
	}
	t.b = append(t.b, p...)
	return n, nil
}
