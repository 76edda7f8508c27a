package worktree

import "dfs/manifest"

// Entry is one path as it was found on disk.
type Entry struct {
	Path   string
	Kind   manifest.Kind
	Mode   uint16 // 07777
	Mtime  manifest.Time
	Size   uint64 // of a file; 0 for others
	Target string // of a symlink

	// Dev and Ino identify the file; Dev only within one run. Ctime is when its
	// content or attributes last changed. All three are zero on Windows.
	Dev, Ino uint64
	Ctime    manifest.Time

	Linked bool // a file that has other names, perhaps elsewhere

	// Unlisted says of a directory that what it holds is unknown: it could not
	// be read. Nothing below it may be taken for deleted.
	Unlisted bool
}

// Racy reports whether a change to e could stay unseen: it was changed in the
// tick of probe or later. probe is what [Root.Probe] returned before e was
// scanned, or, for the bytes of a file, before they were read.
func (e *Entry) Racy(probe manifest.Time) bool {
	changed := e.Ctime
	if changed == (manifest.Time{}) { // the system has none
		changed = e.Mtime
	}
	return changed.Compare(probe) >= 0
}

// same reports whether found, at the same path, is e unchanged. Of a directory
// only its identity and mode count, since what happens inside it changes the rest.
func (e *Entry) same(found *Entry) bool {
	if !e.sameMoved(found) {
		return false
	}
	if e.Kind == manifest.Directory {
		return e.Mode == found.Mode
	}
	return e.Ctime == found.Ctime
}

// sameMoved is like same for an entry that was renamed since, which changes ctime.
func (e *Entry) sameMoved(found *Entry) bool {
	if e.Kind != found.Kind || e.Dev != found.Dev || e.Ino != found.Ino {
		return false
	}
	return e.Kind == manifest.Directory || e.Size == found.Size && e.Mtime == found.Mtime && e.Target == found.Target
}
