package client

import (
	"context"
	"fmt"

	"dfs/client/worktree"
	"dfs/manifest"
	"dfs/merkle"
)

// waits leaves a path as it is, here and in the base, until the conflict at clash is settled.
func (p *puller) waits(path, clash string) {
	p.held[path] = struct{}{}
	p.r.result.Waits = append(p.r.result.Waits, Wait{Path: path, For: clash})
}

// waitsAbove reports whether what stands above a path, and is no directory, conflicts: then the path waits.
func (p *puller) waitsAbove(path string) bool {
	above := wall(&p.way)
	_, here := p.clashes[above]
	_, sent := p.r.clashes[above]
	if here || sent {
		p.waits(path, above)
	}
	return here || sent
}

// clashBelow returns the first conflict in a directory, "" where there is none.
func (p *puller) clashBelow(dir string) (first string) {
	for _, set := range []map[string]struct{}{p.clashes, p.r.clashes} {
		for path := range set {
			if below(path, dir) && (first == "" || merkle.Compare(path, first) < 0) {
				first = path
			}
		}
	}
	return first
}

// blocked says why a directory that is to be none is still there: something is left in it. Of a pull that is a
// conflict if a push would send it; a sync has sent it, and so knows of the conflict.
func (p *puller) blocked(dir string) error {
	if clash := p.clashBelow(dir); clash != "" {
		p.r.result.Modified--
		p.waits(dir, clash)
		return nil
	}
	left, err := p.r.leftIn(p.asm.parent, dir)
	if err != nil {
		return err
	}
	if pull := p.r.clashes == nil; pull && (left.file != "" || left.alien == "") {
		p.r.result.Modified--
		p.conflicts(dir)
		return nil
	}
	p.fail(dir, left.inTheWay())
	return nil
}

// remains are the first things that are left in a directory; "" is none.
type remains struct {
	alien, why string // what dfs leaves alone, and why it does
	file       string // a file or symlink that synchronises
}

func (l *remains) inTheWay() error {
	switch {
	case l.alien != "":
		return fmt.Errorf("the hub has no directory there, and %q, which is %s, is in the way; move or remove it", l.alien, l.why)
	case l.file != "":
		return fmt.Errorf("the hub has no directory there, and %q is in the way", l.file)
	}
	return fmt.Errorf("the hub has no directory there, and what is in it is in the way: %w", worktree.ErrNotEmpty)
}

// leftIn looks at what is in a directory now.
func (r *run) leftIn(ctx context.Context, dir string) (*remains, error) {
	l := new(remains)
	alien := func(why string) func(string) {
		return func(path string) {
			if l.alien == "" && below(path, dir) {
				l.alien, l.why = path, why
			}
		}
	}
	opts := worktree.ScanOptions{
		Jobs: 1, Rules: ownRules(r.excludes), Only: r.root.Scope([]string{dir}),
		Ignored: alien("ignored"), Skip: alien("no file, directory or symlink of this replica"),
	}
	for e, err := range r.root.Scan(ctx, opts) {
		if err != nil {
			return nil, err
		}
		if l.file == "" && e.Kind != manifest.Directory && below(e.Path, dir) {
			l.file = e.Path
		}
	}
	return l, nil
}
