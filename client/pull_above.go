package client

// blocked reports whether something that is not a directory stands above f and stays.
func (p *puller) blocked(f *found) bool {
	for _, g := range f.above {
		if g.blocked {
			return true
		}
	}
	return p.wall != "" && below(f.path, p.wall)
}

// restoreAbove makes the directories above f that were deleted here, since
// something new lives in them.
func (p *puller) restoreAbove(f *found) bool {
	for _, g := range f.above {
		if _, ok := p.made[g.path]; ok {
			continue
		}
		m, err := decode(g.remote)
		if err == nil {
			err = p.apply.Directory(g.path, m, nil)
		}
		if err != nil {
			p.fail(f.path, err)
			return false
		}
		p.made[g.path] = struct{}{}
		p.r.result.Kept = append(p.r.result.Kept, g.path)
	}
	return true
}
