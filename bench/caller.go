package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"dfs/bench/measure"
	"dfs/bench/report"
	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/client/remote"
	"dfs/manifest"
	"dfs/server/api"
)

// caller is a replica without a directory: this process speaks to the hub as a client does.
type caller struct {
	conn    *remote.Hub
	replica api.ReplicaID
	volume  cas.VolumeID
	session api.SessionID // after start, until commit
}

// newCaller returns a replica of the volume with connections of its own to the hub at url.
func newCaller(url string, volume cas.VolumeID) (*caller, error) {
	conn, err := remote.New(url, remote.Options{})
	return &caller{conn: conn, replica: randomID(), volume: volume}, err
}

// start opens a session.
func (c *caller) start(ctx context.Context) error {
	answer, err := c.conn.Start(ctx, api.StartRequest{
		Protocol: api.ProtocolVersion, Replica: c.replica, Volume: c.volume, Run: randomID(), Client: "bench", Command: "push",
	})
	c.session = answer.Session
	return err
}

// commit makes the file at path, whose version is base (nil: absent), one of a single chunk, and
// returns that version. Blobs are what the hub lacks of it.
func (c *caller) commit(ctx context.Context, path string, base *manifest.Manifest, chunk cas.Blob, blobs ...cas.Blob) (*manifest.Manifest, error) {
	file := &manifest.Manifest{
		Kind: manifest.File, Mode: 0o644, Size: uint64(chunk.Size()), Profile: chunker.Profile1,
		Runs: []manifest.Run{{ID: chunk.ID(), Size: uint32(chunk.Size()), Count: 1}},
	}
	edit := api.Edit{Path: path, New: file}
	if base != nil {
		edit.Base = base.Hash()
	}
	answer, err := c.conn.Commit(ctx, api.CommitRequest{Session: c.session, Key: randomID(), Edits: []api.Edit{edit}, Blobs: blobs})
	if err == nil && len(answer.Conflicts) > 0 {
		err = fmt.Errorf("%s: in conflict", path)
	}
	return file, err
}

// asClient has this process do what a client does with the hub, and fills in what both took.
func (d *dfsTool) asClient(rec *report.Record, do func() error) error {
	return d.observe(rec, func() error { return d.r.asSelf(rec, do) })
}

// asSelf fills in the CPU time that this process took to do something.
func (r *run) asSelf(rec *report.Record, do func() error) error {
	stop, err := r.profileSelf(rec)
	if err != nil {
		return err
	}
	user, sys := measure.Self()
	err = do()
	rec.User, rec.Sys = measure.Self()
	rec.User -= user
	rec.Sys -= sys
	return errors.Join(err, stop())
}

func randomID() (id cas.VolumeID) {
	rand.Read(id[:])
	return id
}
