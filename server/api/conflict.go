package api

import (
	"bytes"
	"cmp"
	"slices"

	"dfs/cas"
	"dfs/merkle"
)

// ConflictID names the conflict of a replica of a volume at a path that it changed from a
// version with that hash; zero: from none.
func ConflictID(v cas.VolumeID, replica ReplicaID, path string, base cas.ID) cas.ID {
	return cas.Sum(slices.Concat(v[:], replica[:], []byte(path), base[:]))
}

// BaseKnown reports whether Base is what the replica, of volume v, started from. It is nil also
// where the hub had no tree at hand that has that version.
func (c *Conflict) BaseKnown(v cas.VolumeID) bool {
	return c.ID == ConflictID(v, c.Replica, c.Path, c.Base.Hash())
}

// Compare orders conflicts as Hub.Conflicts yields them: by path, then by time, then by ID.
func (c *Conflict) Compare(other *Conflict) int {
	return cmp.Or(merkle.Compare(c.Path, other.Path), c.Time.Compare(other.Time), bytes.Compare(c.ID[:], other.ID[:]))
}

// Append appends the binary form of c to dst: conflict in the grammar of messages; a
// message of conflicts is a row of these. The error is that of a manifest that is not valid.
func (c *Conflict) Append(dst []byte) ([]byte, error) { return c.append(dst) }

// DecodeConflict reads the binary form of a conflict. Its errors are ErrInvalid;
// the result shares nothing with b.
func DecodeConflict(b []byte) (Conflict, error) {
	d := &decoder{buf: b}
	c := d.conflict()
	return c, d.end("conflict")
}

// DecodeConflicts reads a message of conflicts.
func DecodeConflicts(b []byte) ([]Conflict, error) {
	d := &decoder{buf: b}
	var conflicts []Conflict
	for d.err == nil && len(d.buf) > 0 {
		conflicts = append(conflicts, d.conflict())
	}
	return conflicts, d.end("conflicts")
}
