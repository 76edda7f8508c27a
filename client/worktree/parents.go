package worktree

import "time"

// keepParent is for how long a directory is used after it was found at its path. Whoever
// moves it away in that time finds in it what was placed there, as if that had come
// right before.
const keepParent = time.Millisecond

// parent keeps open the directory in which Flush places one file after the other.
type parent struct {
	root  *Root
	path  string
	dir   dir
	open  bool
	found time.Time // when it was opened
}

// at returns the directory at path, which is valid until the next call.
func (p *parent) at(path string) (dir, error) {
	if p.open && p.path == path && time.Since(p.found) < keepParent {
		return p.dir, nil
	}
	p.close()
	p.found = time.Now()
	d, err := p.root.directory(path)
	if err != nil {
		return d, err
	}
	p.path, p.dir, p.open = path, d, true
	return d, nil
}

func (p *parent) close() {
	if p.open {
		p.dir.close()
		p.open = false
	}
}
