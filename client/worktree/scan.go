package worktree

import (
	"context"
	"iter"
	"runtime"

	"dfs/client/worktree/ignore"
	"dfs/manifest"
)

// ScanOptions says how to scan. The functions may be nil; they are called from
// the goroutine that iterates, in path order, between entries. What Skip, Temp,
// Ignored and Problem are told is no entry, and it and all below it must not be taken for deleted.
type ScanOptions struct {
	Jobs    int               // directories read at the same time; 0: the number of processors, 1: no goroutines
	Rules   *ignore.Rules     // what to ignore, beside what the files .dfsignore of the tree say
	Only    *Scope            // the paths to look at, with the directories above them; nil: all
	Mounted map[string]bool   // where other file systems are known to be mounted: see ErrNotMounted
	Skip    func(path string) // a special file, a nested replica, or something else called .dfs: never opened
	Temp    func(path string) // a [Leftover] of an interrupted run
	Ignored func(path string) // ignored, with all below it
	Problem func(Problem)     // a path that could not be read
	Mount   func(path string) // a directory in which another file system begins; an entry follows
	// Enter is told of a directory with rules of its own ("" is the root), and what is
	// ignored below it, after its entry and before those below it.
	Enter func(path string, rules *ignore.Rules)
}

// Scan returns every entry below the root in path order. It reads ahead in
// parallel, holding a bounded number of entries and, for each job, the names of
// a directory. An entry that vanishes meanwhile is left out without a word. A
// directory whose content cannot be read, or whose file .dfsignore cannot, is told to
// Problem and then an entry with Unlisted set. An error (of the root itself, or
// ctx's) ends the sequence.
func (r *Root) Scan(ctx context.Context, opts ScanOptions) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		jobs := opts.Jobs
		if jobs <= 0 {
			jobs = runtime.GOMAXPROCS(0)
		}
		s := newScanner(r.dir, opts.Mounted)
		defer s.stop()
		if jobs > 1 {
			s.start(jobs)
		}
		d := delivery{ctx: ctx, s: s, opts: opts, yield: yield}
		root := &task{dev: r.dev, rules: opts.Rules, only: opts.Only}
		s.finish(root)
		if root.err != nil {
			yield(Entry{}, root.err)
			return
		}
		d.entered("", root)
		d.directory(root)
	}
}

// delivery hands out what the scanner finds.
type delivery struct {
	ctx   context.Context
	s     *scanner
	opts  ScanOptions
	yield func(Entry, error) bool
}

// directory delivers all below a directory that is listed; false ends the scan.
func (d *delivery) directory(t *task) bool {
	if !d.slice(t) {
		return false
	}
	for i, next := range t.more {
		d.s.finish(next)
		if !d.slice(next) {
			return false
		}
		t.more[i] = nil
	}
	return true
}

// slice delivers the entries of one task, with all that lies below them.
func (d *delivery) slice(t *task) bool {
	if err := d.ctx.Err(); err != nil {
		d.yield(Entry{}, err)
		return false
	}
	d.s.delivered(t)
	dirs, odd := t.dirs, t.odd
	for i := range t.entries {
		e := &t.entries[i]
		if len(odd) > 0 && odd[0].at == i {
			d.report(e.Path, odd[0])
			odd = odd[1:]
			continue
		}
		if e.Kind != manifest.Directory {
			if !d.yield(*e, nil) {
				return false
			}
			continue
		}
		below := dirs[0]
		dirs[0], dirs = nil, dirs[1:]
		if !d.enter(e, below) {
			return false
		}
	}
	t.entries, t.dirs = nil, nil
	return true
}

// enter delivers a directory and all below it.
func (d *delivery) enter(e *Entry, below *task) bool {
	d.s.finish(below)
	switch {
	case below.vanished:
		return true
	case below.nested:
		d.report(e.Path, odd{})
		return true
	case below.err != nil:
		d.report(e.Path, odd{err: below.err})
		e.Unlisted = true
		return d.yield(*e, nil)
	}
	if e.Dev != below.above && d.opts.Mount != nil {
		d.opts.Mount(e.Path)
	}
	if !d.yield(*e, nil) {
		return false
	}
	d.entered(e.Path, below)
	return d.directory(below)
}

func (d *delivery) entered(path string, t *task) {
	if t.ruled && d.opts.Enter != nil {
		d.opts.Enter(path, t.rules)
	}
}

// report tells of what is none of the tree's entries.
func (d *delivery) report(path string, o odd) {
	switch {
	case o.temp:
		if d.opts.Temp != nil {
			d.opts.Temp(path)
		}
	case o.ignored:
		if d.opts.Ignored != nil {
			d.opts.Ignored(path)
		}
	case o.err != nil:
		if d.opts.Problem != nil {
			d.opts.Problem(Problem{path, o.err})
		}
	case d.opts.Skip != nil:
		d.opts.Skip(path)
	}
}
