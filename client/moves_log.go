package client

import (
	"bytes"

	"dfs/client/replica"
)

// changeLog collects changes of one side in a temporary file, in path order, until the last tells
// which of them are moves. The zero changeLog but for dir and side is empty.
type changeLog struct {
	dir  string // the replica's
	side Side
	w    *replica.Writer // nil: nothing yet
}

// add takes in a path that had old and has new; nil is absent. Paths ascend.
func (l *changeLog) add(path string, old, new []byte) (err error) {
	if l.w == nil {
		if l.w, err = replica.NewSpool(l.dir); err != nil {
			return err
		}
	}
	return l.w.Add(replica.Record{Path: path, Base: old, Remote: new})
}

// drop ends the log.
func (l *changeLog) drop() {
	if l.w != nil {
		l.w.Abort()
	}
	l.w = nil
}

// loggedChange is a change of a log with the manifests that were added; of a move, what was at
// the old path and what is at the new one.
type loggedChange struct {
	Change
	old, new []byte
}

// each calls visit with the changes in path order, moves at their new path, and ends the log. A
// change is valid during the call.
func (l *changeLog) each(visit func(loggedChange) error) error {
	defer l.drop()
	if l.w == nil {
		return nil
	}
	if err := l.w.Seal(); err != nil {
		return err
	}
	from, olds, err := l.moves()
	if err != nil {
		return err
	}
	return eachRecord(l.w, func(rec replica.Record) error {
		c := loggedChange{Change{Side: l.side, Op: opOf(rec.Base, rec.Remote), Path: rec.Path}, rec.Base, rec.Remote}
		if _, moved := olds[rec.Path]; moved && c.Op == Deleted {
			return nil
		}
		if old, moved := from[rec.Path]; moved {
			c.Op, c.From, c.old = Moved, old, olds[old]
		}
		return visit(c)
	})
}

// moves returns the moves of the log, new path → old path, and what was at the old paths.
func (l *changeLog) moves() (from map[string]string, olds map[string][]byte, err error) {
	var c contents
	if err := eachRecord(l.w, func(rec replica.Record) error { return c.note(rec.Base, rec.Remote, 1) }); err != nil {
		return nil, nil, err
	}
	count, keys := c.moves()
	if count == 0 {
		return nil, nil, nil
	}
	all, values := map[uint64]*places{}, map[string][]byte{}
	err = eachRecord(l.w, func(rec replica.Record) error {
		if rec.Base != nil && rec.Remote != nil {
			return nil
		}
		gone := rec.Remote == nil
		value := rec.Remote
		if gone {
			value = rec.Base
		}
		at, err := placesOf(all, keys, value)
		switch {
		case at == nil:
		case gone:
			at.gone = append(at.gone, rec.Path)
			values[rec.Path] = bytes.Clone(value)
		default:
			at.come = append(at.come, rec.Path)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	from, olds = matchAll(all), map[string][]byte{}
	for _, old := range from {
		olds[old] = values[old]
	}
	return from, olds, nil
}

// log returns the log of a side.
func (r *run) log(side Side) *changeLog {
	if r.logs[side] == nil {
		r.logs[side] = &changeLog{dir: r.cfg.Dir, side: side}
	}
	return r.logs[side]
}

// eachLogged calls visit with the changes of both sides, first the local ones, and ends the logs.
func (r *run) eachLogged(visit func(loggedChange) error) error {
	for _, side := range []Side{Local, Remote} {
		if err := r.log(side).each(visit); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) dropLogs() {
	for _, l := range r.logs {
		l.drop()
	}
}

// listChanges makes what a dry run found its result, with moves counted as such.
func (r *run) listChanges() error {
	return r.eachLogged(func(c loggedChange) error {
		if c.Op == Moved {
			r.result.took(1)
		}
		r.result.Changes = append(r.result.Changes, c.Change)
		return nil
	})
}
