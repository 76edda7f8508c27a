package client

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"dfs/cas"
	"dfs/client/replica"
	"dfs/client/state"
	"dfs/server/api"
)

// brake makes the error that stops a run before it does damage. What is safest to do
// comes first in its message.
func brake(format string, args ...any) *BrakeError {
	return &BrakeError{Message: fmt.Sprintf(format, args...)}
}

// again returns the command line of this run with more flags, for messages. Commands that
// have not these flags name push instead.
func (r *run) again(flags string) string {
	command := r.command
	if command != "pull" && command != "sync" {
		command = "push"
	}
	if r.cfg.Hub != "" && !strings.Contains(flags, "--hub") {
		flags += " --hub " + shellWord(r.cfg.Hub)
	}
	return fmt.Sprintf("dfs %s %s %s", command, flags, shellWord(r.cfg.Dir))
}

// checkKnown refuses a directory that was a replica and has lost its state: it may not be
// mounted, or was emptied or replaced.
func (r *run) checkKnown() error {
	k, ok, err := r.known.At(r.cfg.Dir)
	if err != nil || !ok {
		return err
	}
	if !r.cfg.Adopt {
		on := ""
		if k.Hub != "" {
			on = " on " + k.Hub
		}
		return brake("%s was a replica of the volume %q%s, and its state in .dfs is not there. Nothing was changed. "+
			"If its file system is not mounted, or a backup not restored, do that first. "+
			"To make it a new replica, which deletes nothing on either side: %s",
			r.cfg.Dir, k.Volume, on, r.again("--adopt --volume "+shellWord(k.Volume)))
	}
	if r.cfg.Volume == "" {
		r.cfg.Volume = k.Volume
	}
	if r.cfg.Hub == "" {
		r.cfg.Hub = k.Hub
	}
	return nil
}

// load reads what the directory is, and refuses a copy of another replica.
func (r *run) load() (err error) {
	if r.binding, err = replica.LoadBinding(r.cfg.Dir); err != nil {
		return err
	}
	r.result.Volume, r.result.Hub = r.binding.Volume, r.binding.Location
	id, same, err := replica.LoadIdentity(r.cfg.Dir)
	if err != nil {
		return err
	}
	from, twice, err := r.twin(id.Replica)
	if err != nil {
		return err
	}
	r.id = id
	if !same || twice {
		if err := r.adoptCopy(from); err != nil {
			return err
		}
	}
	if err := r.keepExcludes(); err != nil || r.cfg.DryRun {
		return err
	}
	known := state.Known{Path: r.cfg.Dir, Replica: r.id.Replica, Volume: r.binding.Volume, Hub: r.binding.Location}
	if err := r.known.Record(known); err != nil && r.cfg.Notice != nil {
		r.cfg.Notice(fmt.Sprintf("the list of known replicas could not be written, so a lost .dfs will not be noticed: %v", err))
	}
	return nil
}

// twin returns where else the replica was seen, and whether it is still there.
func (r *run) twin(id api.ReplicaID) (path string, there bool, err error) {
	k, ok, err := r.known.Of(id)
	if err != nil || !ok {
		return "", false, err
	}
	here, err := state.Canonical(r.cfg.Dir)
	if err != nil || k.Path == here {
		return "", false, err
	}
	if replica.SameDirectory(k.Path, r.cfg.Dir) { // mounted at both places
		return "", false, nil
	}
	other, same, err := replica.LoadIdentity(k.Path)
	return k.Path, err == nil && same && other.Replica == id, nil
}

// adoptCopy makes a copy of a replica one of its own, with an empty base: the copy may
// have been made while the original changed.
func (r *run) adoptCopy(from string) (err error) {
	if !r.cfg.Adopt || r.cfg.DryRun {
		what := "of another directory"
		if from != "" {
			what = "of " + from
		}
		return brake("%s holds a copy of the state (.dfs) %s: it is not the directory that was made this replica. Nothing was changed. "+
			"If the original is in use, work there. To make this directory a replica of its own, which deletes nothing on either side: %s",
			r.cfg.Dir, what, r.again("--adopt"))
	}
	if err := replica.DropBase(r.cfg.Dir); err != nil {
		return err
	}
	r.id, err = replica.Create(r.cfg.Dir)
	return err
}

// insideReplica refuses a directory that lies in a replica, be it by way of a symbolic link.
func insideReplica(dir, command string) error {
	real, err := state.Canonical(dir)
	if err != nil {
		return err
	}
	for _, path := range []string{dir, real} {
		for up := filepath.Dir(path); up != path; path, up = up, filepath.Dir(up) {
			if replica.Exists(up) {
				return &BrakeError{Message: fmt.Sprintf("this directory lies in the replica %s, and a command acts on the whole replica: dfs %s %s", up, command, shellWord(up))}
			}
		}
	}
	return nil
}

// checkHub refuses a hub that is not the replica's, and notes where that was reached.
func (r *run) checkHub(id cas.VolumeID) error {
	location := r.result.Hub
	if id != r.binding.HubID {
		err := brake("%s is bound to the hub %v, but at %s is the hub %v. Nothing was changed. "+
			"If the replica's hub is reachable elsewhere, give its place: %s. "+
			"To leave it for the hub that is there, which deletes nothing on either side: %s",
			r.cfg.Dir, r.binding.HubID, location, id, r.again("--hub URL"), r.again("--rebind --hub "+shellWord(location)))
		err.rebinds = true
		return err
	}
	if location == r.binding.Location || r.cfg.DryRun {
		return nil
	}
	r.binding.Location = location
	return replica.Bind(r.cfg.Dir, r.binding)
}

// volumeGone refuses a hub that has lost the volume, or has another of its name.
func (r *run) volumeGone() error {
	err := brake("the hub %s has not the volume that %s is a replica of any more (%q, %v). Nothing was changed. "+
		"If the hub was restored from a backup, look there first. "+
		"To bind the directory to the hub's volume of that name, or to a new one, which deletes nothing on either side: %s",
		r.result.Hub, r.cfg.Dir, r.binding.Volume, r.binding.VolumeID, r.again("--rebind"))
	err.rebinds = true
	return err
}

// checkHistory refuses a hub that went back in time: known says whether it has the
// snapshot that the replica has seen.
func (r *run) checkHistory(seen replica.Seen, head api.Head, known bool) error {
	if known && (head.Seq > seen.Seq || head.Seq == seen.Seq && head.Snapshot == seen.Snapshot) {
		return nil
	}
	err := brake("the hub went back in time: %s knows snapshot %d (%s) of the volume %q, the hub has %d (%s). Nothing was changed. "+
		"If the hub was restored from a backup, look whether a newer one exists before you go on. "+
		"To go on from what the hub has, which deletes nothing on either side: %s",
		r.cfg.Dir, seen.Seq, seen.Snapshot.Short(), r.binding.Volume, head.Seq, head.Snapshot.Short(), r.again("--rebind"))
	err.rebinds = true
	return err
}

// rebind binds the replica to the volume of its name, or of the given one, on the hub
// that was reached, and has it start from an empty base. The base goes first: without
// it the old binding does no harm.
func (r *run) rebind(ctx context.Context) error {
	if r.cfg.DryRun {
		return &UsageError{"--rebind changes the replica's state, which --dry-run does not"}
	}
	b := replica.Binding{Volume: r.binding.Volume}
	if r.cfg.Volume != "" {
		b.Volume = r.cfg.Volume
	}
	if err := r.choose(ctx, &b); err != nil {
		return err
	}
	if b.VolumeID.IsZero() {
		b.VolumeID = replica.NewID()
	}
	if err := replica.DropBase(r.cfg.Dir); err != nil {
		return err
	}
	if err := replica.Bind(r.cfg.Dir, b); err != nil {
		return err
	}
	return r.load()
}

// choose completes b with the hub that was reached and its volume of the name in b. The
// volume's ID stays zero where there is none and the run may make it.
func (r *run) choose(ctx context.Context, b *replica.Binding) error {
	info, err := r.conn.Info(ctx, b.Volume)
	if err != nil {
		return fmt.Errorf("hub %s: %w", r.result.Hub, err)
	}
	b.HubID, b.Location = info.HubID, r.result.Hub
	switch {
	case info.Volume != nil:
		b.VolumeID = info.Volume.ID
	case r.command == "pull":
		return fmt.Errorf("volume %q: %w on the hub %s", b.Volume, api.ErrNotFound, r.result.Hub)
	}
	return nil
}
