package api

import (
	"bytes"
	"cmp"
	"slices"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
)

// What its replica itself did to settle a conflict, as Take: an edit that the head took, or to have
// the head's version.
const (
	ByEdit    = "edit"
	Withdrawn = "withdrawn"
)

// ConflictID names the first conflict of a replica of a volume at a path that it changed from a
// version with that hash; zero: from none. One that comes again when that is settled has the
// NextConflictID of it, and so on.
func ConflictID(v cas.VolumeID, replica ReplicaID, path string, from cas.ID) cas.ID {
	return cas.Sum(slices.Concat(v[:], replica[:], []byte(path), from[:]))
}

// NextConflictID names the conflict that comes after a settled one from the same version.
func NextConflictID(settled cas.ID) cas.ID { return cas.Sum(settled[:]) }

// BaseKnown reports whether Base is what the replica started from.
func (c *Conflict) BaseKnown() bool { return c.From == c.Base.Hash() }

// Rebase returns what takes the place of a replica's base of a path, a version with the hash base, nil
// when nothing does. The conflicts are the replica's at that path that were settled, by their numbers, and
// of which it has not heard. To whoever settled one its Ours was known, so that is the base
// of what the replica has, and what the head has is a change of it too. What the replica did
// itself it knows.
func Rebase(base cas.ID, settled []Conflict) (ours *manifest.Manifest) {
	for _, c := range settled {
		if c.From == base && c.Take != ByEdit && c.Take != Withdrawn {
			ours, base = c.Ours, c.Ours.Hash()
		}
	}
	return ours
}

// Compare orders changes as Hub.Changes yields them: by path.
func (c *Change) Compare(other *Change) int { return merkle.Compare(c.Path, other.Path) }

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
