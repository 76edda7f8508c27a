package peer

import "fmt"

// password protects the repositories of a benchmark. It is no secret: there is
// nothing in them that is not beside them in the clear.
const password = "benchmark"

// resticPeers returns restic with its two usual kinds of repository.
func resticPeers() []Peer {
	local := func(s Site) string { return s.Store }
	served := func(s Site) string { return fmt.Sprintf("rest:http://127.0.0.1:%d/", s.Port) }
	a := restic(local)
	a.Name = "restic"
	a.Doc = "restic with a local repository at its defaults: always encrypted (RESTIC_PASSWORD), compression auto. Each file of the repository is fsynced before it gets its name, so a push is durable. " +
		"A restore syncs nothing; sync -f DST is in its time."
	a.Find = find("restic", "version")
	rest := restServer()
	b := restic(served)
	b.Name = "restic-rest"
	b.Doc = "restic with a REST server over loopback HTTP, else like restic. " + rest.doc + " A restore syncs nothing; sync -f DST is in its time."
	b.Find = findBoth(a.Find, rest.find, rest.name)
	b.Note, b.Daemon, b.Durable = rest.note, rest.daemon, rest.durable
	return []Peer{a, b}
}

// restic returns restic with the repository that repo names, without Name, Doc and
// Find. It backs up "." so that a restore puts the tree itself into Target. Versions
// before 0.17 fail where a symbolic link stands already and write every file again:
// the links of a former Target are removed before the clock starts.
func restic(repo func(Site) string) Peer {
	env := func(s Site) []string {
		return []string{"RESTIC_REPOSITORY=" + repo(s), "RESTIC_PASSWORD=" + password, "RESTIC_CACHE_DIR=" + s.in("restic"),
			"RESTIC_REPOSITORY_FILE=", "RESTIC_PASSWORD_FILE=", "RESTIC_PASSWORD_COMMAND="}
	}
	return Peer{
		Setup: func(s Site) []Step { return []Step{untimed(env(s), "", "restic", "--quiet", "init")} },
		Push:  func(s Site) []Step { return []Step{timed(env(s), s.Source, "restic", "--quiet", "backup", ".")} },
		Pull: func(s Site) []Step {
			const unlink = `if [ -d "$1" ]; then find "$1" -type l -delete; fi`
			return []Step{
				untimed(nil, "", shell(unlink, s.Target)...),
				timed(env(s), "", "restic", "--quiet", "restore", "latest", "--target", s.Target),
			}
		},
		Dedup: true, DurablePull: syncTarget,
	}
}

// borg returns Borg with a local repository.
func borg() Peer {
	env := func(s Site) []string {
		return []string{"BORG_REPO=" + s.Store, "BORG_PASSPHRASE=" + password, "BORG_BASE_DIR=" + s.in("borg"),
			"BORG_RELOCATED_REPO_ACCESS_IS_OK=yes"}
	}
	return Peer{
		Name: "borg",
		Doc: "Borg 1 with a local repository as its manual sets one up: --encryption repokey (BORG_PASSPHRASE), compression lz4, files cache by ctime, size and inode. Segments and their directory are " +
			"fsynced at the commit, so a push is durable. A restore (extract of the newest archive, whose name is asked for before the clock starts) syncs nothing; sync -f DST is in its time.",
		Find: find("borg", "--version"),
		Setup: func(s Site) []Step {
			return []Step{mkdir(s.in("borg")), untimed(env(s), "", "borg", "init", "--encryption", "repokey")}
		},
		Push: func(s Site) []Step {
			return []Step{timed(env(s), s.Source, "borg", "create", "::{utcnow:%Y%m%d-%H%M%S.%f}", ".")}
		},
		Pull: func(s Site) []Step {
			newest := s.in("borg", "newest")
			return []Step{
				mkdir(s.Target),
				untimed(env(s), "", shell(`borg list --last 1 --short >"$1"`, newest)...),
				timed(env(s), s.Target, shell(`read -r name <"$1"; exec borg extract "::$name"`, newest)...),
			}
		},
		Dedup: true, DurablePull: syncTarget,
	}
}

// kopia returns Kopia with a repository in the file system.
func kopia() Peer {
	env := func(s Site) []string {
		return []string{"KOPIA_PASSWORD=" + password, "KOPIA_CONFIG_PATH=" + s.in("kopia", "repository.config"),
			"KOPIA_CACHE_DIRECTORY=" + s.in("kopia", "cache"), "KOPIA_LOG_DIR=" + s.in("kopia", "logs"),
			"KOPIA_CHECK_FOR_UPDATES=false", "KOPIA_USE_KEYRING=false", "KOPIA_PERSIST_CREDENTIALS_ON_CONNECT=false"}
	}
	return Peer{
		Name: "kopia",
		Doc: "Kopia with a repository in the file system at its defaults: always encrypted (KOPIA_PASSWORD), no compression unless a policy asks for it. Versions differ in whether they fsync their files, " +
			"so sync -f STORE is in the time of a push, and sync -f DST in that of a restore.",
		Find: find("kopia", "--version"),
		Setup: func(s Site) []Step {
			return []Step{mkdir(s.Store, s.in("kopia")), untimed(env(s), "", "kopia", "repository", "create", "filesystem", "--path", s.Store)}
		},
		Push: func(s Site) []Step {
			return []Step{timed(env(s), "", "kopia", "--no-progress", "snapshot", "create", s.Source)}
		},
		Pull: func(s Site) []Step {
			return []Step{timed(env(s), "", "kopia", "--no-progress", "restore", s.Source, s.Target)}
		},
		Dedup: true, Durable: syncStore, DurablePull: syncTarget,
	}
}
