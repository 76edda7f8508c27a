package client

import "dfs/manifest"

// fading is a directory that one side has deleted and the other has still. It stays for what
// is in it: the hub's tree has the directories above all that it has, and a pull removes none that
// something is left in.
type fading struct {
	here, there bool // something in it will be in the directory, or on the hub
}

// fades takes in a path that is to be none: a directory goes only if nothing is left in it.
func (f *forecast) fades(p *found, remote *manifest.Manifest) {
	if isDirectory(p.local) || isDirectory(remote) {
		f.fading[p.path] = new(fading)
	}
}

// remains takes in that a path will be there, in the directory, on the hub, or both.
func (f *forecast) remains(path string, here, there bool) {
	if len(f.fading) == 0 || !here && !there {
		return
	}
	for end, c := range path {
		if d := f.fading[path[:end]]; c == '/' && d != nil {
			d.here, d.there = d.here || here, d.there || there
		}
	}
}

// stayed returns what comes of a directory's deletion, and whether it was one.
func (f *forecast) stayed(c Change) (instead []Change, ok bool) {
	d := f.fading[c.Path]
	if d == nil || c.Op != Deleted {
		return nil, false
	}
	stays, returns, other := d.there, d.here, Remote
	if c.Side == Remote {
		stays, returns, other = d.here, d.there, Local
	}
	if !stays {
		instead = append(instead, c)
	}
	if returns {
		instead = append(instead, Change{Side: other, Op: Added, Path: c.Path})
	}
	return instead, true
}
