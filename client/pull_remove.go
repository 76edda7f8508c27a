package client

import (
	"errors"

	"dfs/client/worktree"
)

// remove removes what is to go, and makes that durable from time to time.
func (p *puller) remove() error {
	for i, t := range p.removals {
		p.removeOne(t)
		p.removals[i] = target{}
		if (i+1)%flushFiles != 0 {
			continue
		}
		applied, problems, err := p.apply.Flush(p.asm.parent)
		p.take(problems)
		if err == nil {
			err = p.asm.remember(applied)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *puller) removeOne(t target) {
	err := p.apply.Remove(t.path, t.entry)
	switch {
	case err == nil:
		p.r.meter.applied.Add(1)
	case errors.Is(err, worktree.ErrNotEmpty): // it goes once it is empty
		p.held[t.path] = struct{}{}
		if !p.failedBelow(t.path) {
			p.r.result.Kept = append(p.r.result.Kept, t.path)
		}
	default:
		p.fail(t.path, err)
	}
}
