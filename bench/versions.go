package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"dfs/bench/peer"
	"dfs/bench/report"
	"dfs/bench/workload"
)

// What is compared here is what a known tree costs that has changed: in time, on the wire
// and in the store. After each change each tool pushes, in another order each round.

// The peers that a comparison is for.
func anyPeer(peer.Peer) bool       { return true }
func keepsPieces(p peer.Peer) bool { return p.Dedup }
func sendsPieces(p peer.Peer) bool { return p.Dedup || p.Daemon != nil }

// compare calls fn with a workload and the contestants for it.
func (r *run) compare(name string, takes func(peer.Peer) bool, fn func(w workload.Workload, all []contestant) error) error {
	w, ok := workload.Named(name)
	if !ok {
		return fmt.Errorf("workload %q is not known", name)
	}
	r.logf("%s: %s", w.Name, w.Doc)
	all, err := r.among(w, takes)
	if err != nil {
		return err
	}
	return fn(w, all)
}

// bigEdits changes one large file in three ways, in each round, on top of what the rounds
// before it did: a file that is large is written once, and there is one store of each tool.
func (r *run) bigEdits() error {
	return r.compare("big-10g", keepsPieces, func(w workload.Workload, all []contestant) error {
		return r.stage(w, all, func(blank report.Record) error {
			if err := r.each(all, report.OpPush, blank, pushing); err != nil {
				return err
			}
			for blank.Run = range r.Rounds {
				if err := r.editBig(turn(all, blank.Run), blank); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// editBig is a round of bigEdits.
func (r *run) editBig(all []contestant, blank report.Record) error {
	for _, edit := range []struct {
		name string
		do   func(context.Context, string, uint64) error
	}{{report.OpOverwritten, workload.Overwrite}, {report.OpInserted, workload.Insert}, {report.OpAppended, workload.Append}} {
		err := r.change(func(dir string) error {
			file, err := onlyFile(dir)
			if err != nil {
				return err
			}
			return edit.do(r.ctx, file, r.Seed)
		})
		if err != nil {
			return err
		}
		if err := r.each(all, edit.name, blank, pushing); err != nil {
			return err
		}
	}
	return nil
}

// onlyFile returns the path of the one file in dir, beside the replica's state.
func onlyFile(dir string) (string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "[^.]*"))
	if err != nil || len(names) != 1 {
		return "", fmt.Errorf("%s: %d files, not one, %v", dir, len(names), err)
	}
	return names[0], nil
}

// oneOfMany changes one file among many in one directory, another one each round.
func (r *run) oneOfMany() error {
	return r.compare("flat-1m", sendsPieces, func(w workload.Workload, all []contestant) error {
		return r.stage(w, all, func(blank report.Record) error {
			for _, c := range all {
				if err := c.push(&report.Record{}); err != nil {
					return fmt.Errorf("%s: %w", c.name(), err)
				}
			}
			names, err := os.ReadDir(r.source())
			if err != nil {
				return err
			}
			for blank.Run = range r.Rounds {
				name := names[blank.Run*len(names)/r.Rounds].Name()
				text := fmt.Appendf(nil, "changed in round %d\n", blank.Run)
				err := r.change(func(dir string) error { return os.WriteFile(filepath.Join(dir, name), text, 0o644) })
				if err != nil {
					return err
				}
				if err := r.each(turn(all, blank.Run), report.OpOneChanged, blank, pushing); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// churns edits, moves and deletes 1 % of 100,000 small files in each round, on top of what the
// rounds before it did, and each tool pushes and pulls that.
func (r *run) churns() error {
	return r.compare("small-100k", anyPeer, func(w workload.Workload, all []contestant) error {
		return r.stage(w, all, func(blank report.Record) error {
			blank.Workload = "churn"
			for _, c := range all {
				if err := errors.Join(c.push(&report.Record{}), c.pull(&report.Record{})); err != nil {
					return fmt.Errorf("%s: %w", c.name(), err)
				}
			}
			for blank.Run = range r.Rounds {
				err := r.change(func(dir string) error {
					_, err := workload.Churn(r.ctx, dir, r.Seed, blank.Run)
					return err
				})
				if err != nil {
					return err
				}
				order := turn(all, blank.Run)
				if err := errors.Join(r.each(order, report.OpPushChurn, blank, pushing), r.each(order, report.OpPullChurn, blank, pulling)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// versionsSpace pushes all states of a source tree, one after the other, each round into new
// stores. Run counts the states of all rounds.
func (r *run) versionsSpace() error {
	return r.compare("versions", anyPeer, func(w workload.Workload, all []contestant) error {
		for round := range r.Rounds {
			err := r.stage(w, all, func(blank report.Record) error { return r.pushVersions(all, blank, round) })
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// pushVersions is a round of versionsSpace. What a store grew by in a state is counted from the
// state before, so that nothing that it does later is lost, and all of them are what it grew by.
func (r *run) pushVersions(all []contestant, blank report.Record, round int) error {
	name, order := report.OpFirstState, turn(all, round)
	before := map[string]int64{}
	push := func(c contestant, rec *report.Record) (bool, error) {
		if err := c.push(rec); err != nil {
			return true, err
		}
		now, err := c.stored()
		rec.StoreBytes, before[c.name()] = now-before[c.name()], now
		return true, err
	}
	for n := range workload.Versions {
		if n > 0 {
			name, order = report.OpNextState, turn(all, round+n-1)
			err := r.change(func(dir string) error {
				_, err := workload.NextVersion(r.ctx, dir, r.Seed, n+1)
				return err
			})
			if err != nil {
				return err
			}
		}
		blank.Run = round*workload.Versions + n
		if err := r.each(order, name, blank, push); err != nil {
			return err
		}
	}
	return nil
}
