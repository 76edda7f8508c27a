package bench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"dfs/bench/measure"
	"dfs/bench/report"
	"dfs/cas"
	"dfs/manifest"
)

const (
	commits  = 500     // made in a row
	editSize = 1 << 10 // of the file that each makes another
)

// commit measures what one small edit costs in a volume of 1,000 small files: as a push, and as
// the commit alone.
func (r *run) commit() error {
	return r.onceAt("small-100k", r.Scale/100, func(d *dfsTool, blank report.Record) error {
		blank.Workload = "commit"
		if err := d.push(&report.Record{}); err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(d.from, "mod*", "*", "*"))
		if err != nil || len(files) == 0 {
			return fmt.Errorf("%s: no files, %v", d.from, err)
		}
		for blank.Run = range r.Rounds {
			if err := os.WriteFile(files[0], fmt.Appendf(nil, "edit %d\n", blank.Run), 0o644); err != nil {
				return err
			}
			if err := r.timed(d, report.OpOneChanged, blank, pushing); err != nil {
				return err
			}
		}
		for blank.Run = range r.Rounds {
			if err := r.latency(d, blank); err != nil {
				return err
			}
		}
		return nil
	})
}

// latency makes many commits in a row, each of one small file, and adds the median and the 99th
// percentile of what they take. Opening the session before each is not in it.
func (r *run) latency(d *dfsTool, blank report.Record) error {
	if err := r.settle(); err != nil {
		return err
	}
	c, err := r.joined(d.hub.url, "v")
	if err != nil {
		return err
	}
	defer c.conn.Close()
	blank.Files, blank.Bytes = 1, editSize
	rec := blank
	rec.Operation, rec.Note = report.OpCommit+", median", fmt.Sprintf("of %d in a row; processor, wire and store are the mean", commits)
	var walls []float64
	before := c.conn.Traffic()
	err = d.asClient(&rec, func() (err error) {
		walls, err = r.edits(c, fmt.Sprintf("latency-%d", blank.Run))
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(walls)
	after := c.conn.Traffic()
	rec.Wall = measure.Summarize(walls).Median
	rec.Requests = (after.Requests - before.Requests) / commits
	rec.WireSent, rec.WireReceived = (after.Sent-before.Sent)/commits, (after.Received-before.Received)/commits
	rec.StoreBytes /= commits
	rec.RoundTrips = (rec.RoundTrips + commits/2) / commits
	for _, total := range []*float64{&rec.User, &rec.Sys, &rec.HubUser, &rec.HubSys} {
		*total /= commits
	}
	if err := r.add(rec); err != nil {
		return err
	}
	blank.Operation, blank.Wall = report.OpCommit+", 99th percentile", walls[commits*99/100-1]
	blank.HubPeakAnon, blank.HubPeakRSS = rec.HubPeakAnon, rec.HubPeakRSS
	return r.add(blank)
}

// joined returns a replica of the volume of that name.
func (r *run) joined(url, name string) (*caller, error) {
	c, err := newCaller(url, cas.VolumeID{})
	if err != nil {
		return nil, err
	}
	list, err := c.conn.Volumes(r.ctx, name)
	if err != nil || len(list) != 1 {
		c.conn.Close()
		return nil, fmt.Errorf("volume %s: %d of that name, %v", name, len(list), err)
	}
	c.volume = list[0].ID
	return c, nil
}

// edits makes the commits, and returns the seconds that each took.
func (r *run) edits(c *caller, path string) (walls []float64, err error) {
	var seed [32]byte
	copy(seed[:], fmt.Sprint(path, r.Seed))
	random := rand.NewChaCha8(seed)
	var version *manifest.Manifest
	for range commits {
		data := make([]byte, editSize)
		random.Read(data)
		chunk := cas.Seal(cas.Chunk, data)
		if err := c.start(r.ctx); err != nil {
			return nil, err
		}
		began := time.Now()
		if version, err = c.commit(r.ctx, path, version, chunk, chunk); err != nil {
			return nil, err
		}
		walls = append(walls, time.Since(began).Seconds())
	}
	return walls, nil
}
