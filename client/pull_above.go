package client

import (
	"dfs/client/reconcile"
	"dfs/manifest"
	"dfs/server/api"
)

// above tells what f needs above it to be new in the directory: see [api.Way.Parents].
func (p *puller) above(f *found) (absent []*gap, ok bool) {
	p.way.Reach(f.path)
	for _, g := range f.above {
		p.way.Note(g)
	}
	return p.way.Parents()
}

// note notes what f becomes in the directory.
func (p *puller) note(f *found, plan reconcile.Plan) {
	m := f.local
	if plan.Action == reconcile.Apply || plan.Action == reconcile.Restore {
		m = plan.Result
	}
	p.noteAs(f, m)
}

func (p *puller) noteAs(f *found, m *manifest.Manifest) {
	p.way.Note(gap{Path: f.path, Standing: api.StandingOf(m), Of: f.remote})
}

// restore makes the absent directories above f, which were deleted here, since something new
// lives in them.
func (p *puller) restore(f *found, absent []*gap) bool {
	for _, g := range absent {
		m, err := decode(g.Of)
		if err == nil {
			err = p.apply.Directory(g.Path, m, nil)
		}
		if err != nil {
			p.fail(f.path, err)
			return false
		}
		g.Standing = api.IsDirectory
		p.r.result.Kept = append(p.r.result.Kept, g.Path)
	}
	return true
}
