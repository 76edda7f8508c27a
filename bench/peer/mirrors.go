package peer

import (
	"fmt"
	"os"
	"strconv"
)

// rsyncPeers returns rsync in its three guises.
func rsyncPeers() []Peer {
	copies := func(s Site) []Step {
		return []Step{timed(nil, "", "rsync", "-a", inside(s.Source), inside(s.Target))}
	}
	none := func(Site) []Step { return nil }
	plain := Peer{
		Name:   "rsync",
		Doc:    "rsync -a SRC/ DST/ && sync -f DST, the baseline. Compares size and mtime, copies whole files between local paths. rsync itself syncs nothing; the sync -f is in its time.",
		Find:   find("rsync", "--version"),
		Setup:  none,
		Push:   copies,
		Pull:   copies,
		Mirror: true, Durable: syncTarget, DurablePull: syncTarget,
	}
	nosync := plain
	nosync.Name = "rsync-nosync"
	nosync.Doc = "rsync -a SRC/ DST/ alone: what most people time. It syncs nothing, so its result may be lost in a power cut minutes later; it stands beside rsync to show what that saves."
	nosync.Durable, nosync.DurablePull = nil, nil
	return []Peer{plain, nosync, rsyncDaemon()}
}

// rsyncDaemon returns rsync with its own protocol over loopback.
func rsyncDaemon() Peer {
	url := func(s Site, module string) string {
		return fmt.Sprintf("rsync://127.0.0.1:%d/%s/", s.Port, module)
	}
	return Peer{
		Name:   "rsync-daemon",
		Doc:    "rsync -a to and from rsync --daemon on loopback, without encryption, with its delta transfer (the default over a network). A push writes the module that is Target, a pull reads the module that is Source. Nothing is synced by rsync; sync -f DST is in its time.",
		Find:   find("rsync", "--version"),
		Daemon: rsyncServer,
		Setup:  func(s Site) []Step { return []Step{mkdir(s.Target)} },
		Push: func(s Site) []Step {
			return []Step{mkdir(s.Target), timed(nil, "", "rsync", "-a", inside(s.Source), url(s, "target"))}
		},
		Pull: func(s Site) []Step {
			return []Step{timed(nil, "", "rsync", "-a", url(s, "source"), inside(s.Target))}
		},
		Mirror: true, Durable: syncTarget, DurablePull: syncTarget,
	}
}

// rsyncServer returns the step that writes the daemon's configuration and becomes the
// daemon. One started by root would work as nobody, and without a chroot it would
// change the targets of symbolic links: neither is wanted.
func rsyncServer(s Site) *Step {
	const script = `printf '%b' "$1" >"$2"; exec rsync --daemon --no-detach --address=127.0.0.1 --port="$3" --config="$2"`
	config := `use chroot = no\nmunge symlinks = no\n`
	if os.Geteuid() == 0 {
		config += `uid = 0\ngid = 0\n`
	}
	config += `[source]\npath = ` + s.Source + `\nread only = yes\n[target]\npath = ` + s.Target + `\nread only = no\n`
	step := untimed(nil, "", shell(script, config, s.in("rsyncd.conf"), strconv.Itoa(s.Port))...)
	return &step
}

// rclone returns rclone between two local directories. With --metadata it would keep
// modes, but together with --links version 1.60 sets the mode of a symbolic link, 0777,
// on what the link points to, even outside of the tree: that must not be run.
func rclone() Peer {
	copies := func(s Site) []Step {
		env := []string{"RCLONE_CONFIG=" + s.in("rclone", "rclone.conf"), "RCLONE_CACHE_DIR=" + s.in("rclone", "cache")}
		return []Step{timed(env, "", "rclone", "copy", "--links", "--create-empty-src-dirs", s.Source, s.Target)}
	}
	return Peer{
		Name:   "rclone",
		Doc:    "rclone copy between local paths: four files at a time, and each copied file is read again to compare checksums (its defaults). With --links and --create-empty-src-dirs, without which symbolic links and empty directories would stay behind. It does not keep modes. It syncs nothing; sync -f DST is in its time.",
		Find:   find("rclone", "version"),
		Setup:  func(s Site) []Step { return []Step{mkdir(s.in("rclone")), emptyFile(s.in("rclone", "rclone.conf"))} },
		Push:   copies,
		Pull:   copies,
		Mirror: true, NoModes: true, Durable: syncTarget, DurablePull: syncTarget,
	}
}

// emptyFile returns the untimed step that makes an empty file, or empties one.
func emptyFile(path string) Step { return untimed(nil, "", shell(`: >"$1"`, path)...) }

// unison returns Unison between two local roots.
func unison() Peer {
	run := func(s Site, archives string, extra ...string) Step {
		env := []string{"UNISON=" + s.in("unison", archives), "UNISONLOCALHOSTNAME=localhost"}
		argv := []string{"unison", s.Source, s.Target, "-ui", "text", "-batch", "-auto", "-times", "-contactquietly", "-terse",
			"-logfile", s.in("unison", archives+".log")}
		return timed(env, "", append(argv, extra...)...)
	}
	return Peer{
		Name: "unison",
		Doc: "unison SRC DST -batch -auto -times: two-way, with archives that remember what both sides had. A push that finds DST gone or emptied would take that for a deletion, so a pull works with " +
			"archives of its own, which are removed when DST is not there or empty, and with -force SRC. It syncs nothing; sync -f DST is in its time.",
		Find:  find("unison", "-version"),
		Setup: func(s Site) []Step { return []Step{mkdir(s.in("unison", "push"), s.in("unison", "pull"))} },
		Push:  func(s Site) []Step { return []Step{run(s, "push")} },
		Pull: func(s Site) []Step {
			const forget = `if [ -z "$(ls -A "$1" 2>/dev/null)" ]; then rm -rf "$2"; mkdir -p "$2"; fi`
			return []Step{untimed(nil, "", shell(forget, s.Target, s.in("unison", "pull"))...), run(s, "pull", "-force", s.Source)}
		},
		Mirror: true, Durable: syncTarget, DurablePull: syncTarget,
	}
}
