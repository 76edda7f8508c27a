// Package peer describes the other tools that dfs is measured against, each set up
// as its own users set it up, and says which commands do an operation. It runs
// nothing but the tools' version commands: a runner takes the steps and times them.
//
// # What makes a comparison fair
//
// Every peer states in its Doc what it does and when its result is durable. What a
// tool does not sync itself, [Peer.Durable] and [Peer.DurablePull] sync after it,
// and those steps are timed: with them, every push and every pull ends with its
// bytes on the disk. The one exception is rsync-nosync, which stands beside rsync to
// show what the sync costs.
//
// Peers with a repository ([Peer.Mirror] is false) push Source into Store and
// restore it from there into Target. Mirrors write the tree itself: their push goes
// from Source to Target, and so does their pull, since for them there is no
// difference.
//
// No peer deletes in the Target what the Source does not have, but for Unison, whose
// purpose it is: rsync -a, rclone copy, and all restores only add and replace. In a
// churn with deletions they so do a little less than dfs.
//
// # What a runner does
//
//	start Daemon, if there is one, and wait until 127.0.0.1:Port accepts connections
//	put a link in between, if wanted: all that follows gets the link's Port instead
//	Setup
//	for each operation: its steps in order, the clock running in the timed ones
//	stop the daemon (SIGTERM)
//
// Work, Source, Target and Store are absolute paths. Work and Source exist; Store and
// Target need not. A step runs in Dir, or anywhere when that is empty, with Env in
// addition to the runner's own environment, the later value winning. No standard
// input is needed. A step that ends with another code than 0 has failed.
//
// All configuration, caches and logs of the tools go below Work, so that nothing of
// the user's is read or changed.
package peer

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// Site is where a peer works: one for each peer and workload.
type Site struct {
	Work   string // scratch for configuration, caches and logs
	Source string // the tree to push
	Target string // where a pull puts it, and the push of a mirror
	Store  string // where a repository goes
	Port   int    // of 127.0.0.1: where the daemon listens, and where a client finds it
}

// Step is one command.
type Step struct {
	Argv  []string
	Env   []string // NAME=value, in addition to the environment there is
	Dir   string   // where to run it; empty: anywhere
	Timed bool     // whether it counts; untimed steps prepare
}

// Peer is a tool to compare with. Its functions describe and do nothing, except Find.
type Peer struct {
	Name string
	Doc  string // what it does, with which settings, and what it does for durability
	Note string // what must stand beside its figures; empty: nothing

	// Find returns the version of the tool, or says what is missing.
	Find func() (version string, err error)

	Daemon func(s Site) *Step  // the server that must run meanwhile; nil: none
	Setup  func(s Site) []Step // once before the first push, with the daemon running
	Push   func(s Site) []Step // Source to Store; a mirror: Source to Target
	Pull   func(s Site) []Step // Store to an empty or former Target; a mirror: Source to Target

	Durable     func(s Site) []Step // what makes a push durable after it; nil: it is
	DurablePull func(s Site) []Step // what makes a pull durable after it; nil: it is

	Mirror  bool // no repository: Push writes the tree itself
	Dedup   bool // equal content is stored once
	NoModes bool // the permissions of files are not kept
}

// All returns the peers, the baseline first. Where a peer needs one of several
// programs, it is described with the one that is on PATH now.
func All() []Peer {
	return slices.Concat(rsyncPeers(), resticPeers(), []Peer{borg(), kopia(), rclone(), unison()})
}

// Named returns the peer of that name.
func Named(name string) (Peer, bool) {
	all := All()
	i := slices.IndexFunc(all, func(p Peer) bool { return p.Name == name })
	if i < 0 {
		return Peer{}, false
	}
	return all[i], true
}

// find returns a Find: the program must be on PATH, and the first number with a dot
// in it that the version command prints is its version.
func find(program string, args ...string) func() (string, error) {
	return func() (string, error) {
		path, err := exec.LookPath(program)
		if err != nil {
			return "", fmt.Errorf("%s is not installed: no such program on PATH", program)
		}
		out, err := exec.Command(path, args...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%s does not tell its version: %w", program, err)
		}
		version := regexp.MustCompile(`[0-9]+\.[0-9][0-9A-Za-z.+~-]*`).Find(out)
		if version == nil {
			return "", fmt.Errorf("%s does not tell its version: %q", program, firstLine(string(out)))
		}
		return string(version), nil
	}
}

// findBoth returns a Find for two programs that work together.
func findBoth(client, server func() (string, error), name string) func() (string, error) {
	return func() (string, error) {
		c, err := client()
		if err != nil {
			return "", err
		}
		s, err := server()
		if err != nil {
			return "", err
		}
		return c + ", " + name + " " + s, nil
	}
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// timed returns a timed step.
func timed(env []string, dir string, argv ...string) Step {
	return Step{Argv: argv, Env: env, Dir: dir, Timed: true}
}

// untimed returns a step that prepares.
func untimed(env []string, dir string, argv ...string) Step {
	return Step{Argv: argv, Env: env, Dir: dir}
}

// shell returns the command line of a script. Its arguments are $1, $2 and so on, so
// that no path needs quoting.
func shell(script string, args ...string) []string {
	return append([]string{"sh", "-euc", script, "sh"}, args...)
}

// mkdir returns the untimed step that makes directories with their parents.
func mkdir(dirs ...string) Step {
	return untimed(nil, "", append([]string{"mkdir", "-p"}, dirs...)...)
}

// syncDir returns the timed step that makes all below dir durable: the whole file
// system that holds it, which where sync has no -f are all file systems.
func syncDir(dir string) []Step {
	if runtime.GOOS == "linux" {
		return []Step{timed(nil, "", "sync", "-f", dir)}
	}
	return []Step{timed(nil, "", "sync")}
}

func syncStore(s Site) []Step  { return syncDir(s.Store) }
func syncTarget(s Site) []Step { return syncDir(s.Target) }

// in returns a path below the scratch directory.
func (s Site) in(names ...string) string {
	return filepath.Join(append([]string{s.Work}, names...)...)
}

// inside returns a directory's path with a slash at its end: what is in it.
func inside(dir string) string { return strings.TrimRight(dir, "/") + "/" }
