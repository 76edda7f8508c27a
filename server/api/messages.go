// # Messages
//
// Bulk messages have a binary form, made of
//
//	u      an unsigned number, little-endian base 128, in its shortest form
//	s      u length, then that many bytes
//	id     32 bytes; vid: 16 bytes; u8: one byte
//	ref    u8 kind (c, p, n, s), id
//	path   s: a path that package manifest allows
//	man    s: the canonical form of a manifest, see package manifest
//	text   s: UTF-8, a client of at most 255 bytes, a take of at most 32
//
// and each value has one form only:
//
//	edits          = u count, { path, u8 flags (1 base, 2 new), [id base], [man new] }
//	refs           = u count, { ref }
//	paths          = u count, { path }
//	diff request   = vid session, u part, edits, refs ask
//	diff answer    = u count, bitmap of missing, paths conflicts
//	commit request = vid session, vid key, u parts, edits, u count, { settlement },
//	                 id seen, id expect, s message
//	settlement     = id conflict, id ours, id theirs, text take
//	commit answer  = id snapshot, u seq, id root, u8 merged (0, 1), u count, { conflict }, paths kept
//	conflict       = id, path, vid replica, text client, u8 flags (1 base, 2 ours, 4 theirs, 8 open),
//	                 id from, [man base], [man ours], [man theirs], text take, u number,
//	                 i64 seconds, u32 nanoseconds (big-endian)
//	conflicts      = { conflict } to the end
//	blobs request  = vid volume, refs
//	nodes request  = vid volume, u count, { id }
//	changes        = { path, u8 flags (1 old, 2 new), [man old], [man new] } to the end
//
// A bracketed field is there when its flag is set. The bitmap has one bit for
// each of DiffRequest.Names, the first in the lowest bit of the first byte; the
// bits after the last are zero.
package api

import (
	"encoding/binary"
	"fmt"
	"time"

	"dfs/cas"
	"dfs/manifest"
)

const (
	flagBase   = 1
	flagNew    = 2
	flagOld    = 1
	flagOurs   = 2
	flagTheirs = 4
	flagOpen   = 8
)

func appendEdits(dst []byte, edits []Edit) (_ []byte, err error) {
	dst = binary.AppendUvarint(dst, uint64(len(edits)))
	for _, e := range edits {
		dst = appendBytes(dst, e.Path)
		dst = append(dst, bit(!e.Base.IsZero(), flagBase)|bit(e.New != nil, flagNew))
		if !e.Base.IsZero() {
			dst = append(dst, e.Base[:]...)
		}
		if dst, err = appendManifests(dst, e.New); err != nil {
			return dst, fmt.Errorf("edit of %q: %w", e.Path, err)
		}
	}
	return dst, nil
}

func (d *decoder) edits() []Edit {
	n := d.count(3)
	var edits []Edit
	for range n {
		e := Edit{Path: d.path()}
		flags := d.flags(flagBase | flagNew)
		if flags&flagBase != 0 {
			if e.Base = d.id(); e.Base.IsZero() {
				d.fail("edit of %q: base is zero", e.Path)
			}
		}
		e.New = d.manifest(flags&flagNew != 0)
		if d.err != nil {
			return nil
		}
		edits = append(edits, e)
	}
	return edits
}

// Append appends the binary form of r to dst. The error, here and below, is that
// a manifest is not valid.
func (r *DiffRequest) Append(dst []byte) ([]byte, error) {
	dst = append(dst, r.Session[:]...)
	dst = binary.AppendUvarint(dst, uint64(r.Part))
	dst, err := appendEdits(dst, r.Edits)
	return appendRefs(dst, r.Ask), err
}

// DecodeDiffRequest reads the binary form of a diff request. Its errors, as
// those of the other decoders, are ErrInvalid; the result shares nothing with b.
func DecodeDiffRequest(b []byte) (*DiffRequest, error) {
	d := &decoder{buf: b}
	r := &DiffRequest{Session: d.volume(), Part: d.number(), Edits: d.edits(), Ask: d.refs()}
	return r, d.end("diff request")
}

// Append appends the binary form of a to dst.
func (a *DiffAnswer) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(a.Missing)))
	start := len(dst)
	dst = append(dst, make([]byte, (len(a.Missing)+7)/8)...)
	for i, missing := range a.Missing {
		dst[start+i/8] |= bit(missing, 1<<(i%8))
	}
	return appendPaths(dst, a.Conflicts)
}

// DecodeDiffAnswer reads the binary form of the answer to a request that names
// as many blobs as names says.
func DecodeDiffAnswer(b []byte, names int) (DiffAnswer, error) {
	d := &decoder{buf: b}
	if n := d.uvarint(); n != uint64(names) {
		d.fail("tells of %d blobs, not %d", n, names)
	}
	bitmap := d.take((names + 7) / 8)
	var a DiffAnswer
	if d.err == nil && names > 0 {
		a.Missing = make([]bool, names)
		for i := range a.Missing {
			a.Missing[i] = bitmap[i/8]&(1<<(i%8)) != 0
		}
		if names%8 != 0 && bitmap[names/8]>>(names%8) != 0 {
			d.fail("bits after the last blob")
		}
	}
	a.Conflicts = d.paths()
	return a, d.end("diff answer")
}

// Append appends the binary form of r, without its blobs, to dst.
func (r *CommitRequest) Append(dst []byte) ([]byte, error) {
	dst = append(dst, r.Session[:]...)
	dst = append(dst, r.Key[:]...)
	dst = binary.AppendUvarint(dst, uint64(r.Parts))
	dst, err := appendEdits(dst, r.Edits)
	dst = binary.AppendUvarint(dst, uint64(len(r.Settle)))
	for _, s := range r.Settle {
		dst = append(append(append(dst, s.Conflict[:]...), s.Ours[:]...), s.Theirs[:]...)
		dst = appendBytes(dst, s.Take)
	}
	dst = append(dst, r.Seen[:]...)
	dst = append(dst, r.Expect[:]...)
	return appendBytes(dst, r.Message), err
}

// DecodeCommitRequest reads the binary form of a commit request.
func DecodeCommitRequest(b []byte) (*CommitRequest, error) {
	d := &decoder{buf: b}
	r := &CommitRequest{Session: d.volume(), Key: d.volume(), Parts: d.number(), Edits: d.edits(),
		Settle: d.settlements(), Seen: d.id(), Expect: d.id()}
	r.Message = string(d.bytes(len(b)))
	return r, d.end("commit request")
}

func (d *decoder) settlements() []Settlement {
	n := d.count(3*len(cas.ID{}) + 1)
	var settle []Settlement
	for range n {
		settle = append(settle, Settlement{Conflict: d.id(), Ours: d.id(), Theirs: d.id(), Take: d.text(MaxTake)})
	}
	return settle
}

// Append appends the binary form of a to dst.
func (a *CommitAnswer) Append(dst []byte) (_ []byte, err error) {
	dst = append(dst, a.Head.Snapshot[:]...)
	dst = binary.AppendUvarint(dst, a.Head.Seq)
	dst = append(dst, a.Head.Root[:]...)
	dst = append(dst, bit(a.Merged, 1))
	dst = binary.AppendUvarint(dst, uint64(len(a.Conflicts)))
	for i := range a.Conflicts {
		if dst, err = a.Conflicts[i].append(dst); err != nil {
			return dst, fmt.Errorf("conflict at %q: %w", a.Conflicts[i].Path, err)
		}
	}
	return appendPaths(dst, a.Kept), nil
}

// DecodeCommitAnswer reads the binary form of a commit answer.
func DecodeCommitAnswer(b []byte) (CommitAnswer, error) {
	d := &decoder{buf: b}
	var a CommitAnswer
	a.Head = Head{Snapshot: d.id(), Seq: d.uvarint(), Root: d.id()}
	a.Merged = d.flags(1) == 1
	n := d.count(minConflict)
	for range n {
		a.Conflicts = append(a.Conflicts, d.conflict())
	}
	a.Kept = d.paths()
	return a, d.end("commit answer")
}

// minConflict is the length of the shortest conflict.
const minConflict = 32 + 2 + 16 + 1 + 1 + 32 + 1 + 1 + 12

func (c *Conflict) append(dst []byte) ([]byte, error) {
	dst = append(dst, c.ID[:]...)
	dst = appendBytes(dst, c.Path)
	dst = append(dst, c.Replica[:]...)
	dst = appendBytes(dst, c.Client)
	dst = append(dst, bit(c.Base != nil, flagBase)|bit(c.Ours != nil, flagOurs)|
		bit(c.Theirs != nil, flagTheirs)|bit(c.Open, flagOpen))
	dst, err := appendManifests(append(dst, c.From[:]...), c.Base, c.Ours, c.Theirs)
	dst = binary.AppendUvarint(appendBytes(dst, c.Take), c.Number)
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.Time.Unix()))
	return binary.BigEndian.AppendUint32(dst, uint32(c.Time.Nanosecond())), err
}

func (d *decoder) conflict() Conflict {
	c := Conflict{ID: d.id(), Path: d.path(), Replica: d.volume(), Client: d.text(manifest.MaxClient)}
	flags := d.flags(flagBase | flagOurs | flagTheirs | flagOpen)
	c.From = d.id()
	c.Base = d.manifest(flags&flagBase != 0)
	c.Ours = d.manifest(flags&flagOurs != 0)
	c.Theirs = d.manifest(flags&flagTheirs != 0)
	c.Open = flags&flagOpen != 0
	c.Take = d.text(MaxTake)
	c.Number = d.uvarint()
	if b := d.take(12); b != nil {
		sec, nsec := int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint32(b[8:])
		if nsec >= 1e9 {
			d.fail("conflict at %q: %d nanoseconds", c.Path, nsec)
		}
		c.Time = time.Unix(sec, int64(nsec)).UTC()
	}
	return c
}

// A BlobsRequest asks for blobs of a volume: the body of OpBlobs, but for the session, which
// is in the query.
type BlobsRequest struct {
	Volume  cas.VolumeID
	Refs    []cas.Ref
	Session SessionID // of the pull that asks; zero: of none
}

// Append appends the binary form of r to dst.
func (r *BlobsRequest) Append(dst []byte) []byte {
	return appendRefs(append(dst, r.Volume[:]...), r.Refs)
}

// DecodeBlobsRequest reads the binary form of a blobs request.
func DecodeBlobsRequest(b []byte) (*BlobsRequest, error) {
	d := &decoder{buf: b}
	r := &BlobsRequest{Volume: d.volume(), Refs: d.refs()}
	return r, d.end("blobs request")
}

// A NodesRequest asks for tree nodes of a volume: the body of OpNodes.
type NodesRequest struct {
	Volume cas.VolumeID
	IDs    []cas.ID
}

// Append appends the binary form of r to dst.
func (r *NodesRequest) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, r.Volume[:]...), uint64(len(r.IDs)))
	for _, id := range r.IDs {
		dst = append(dst, id[:]...)
	}
	return dst
}

// DecodeNodesRequest reads the binary form of a nodes request.
func DecodeNodesRequest(b []byte) (*NodesRequest, error) {
	d := &decoder{buf: b}
	r := &NodesRequest{Volume: d.volume()}
	if n := d.count(len(cas.ID{})); n > 0 {
		r.IDs = make([]cas.ID, n)
		for i := range r.IDs {
			r.IDs[i] = d.id()
		}
	}
	return r, d.end("nodes request")
}

// Append appends the binary form of c to dst: a message of changes is a row of these.
func (c *Change) Append(dst []byte) ([]byte, error) {
	dst = appendBytes(dst, c.Path)
	dst = append(dst, bit(c.Old != nil, flagOld)|bit(c.New != nil, flagNew))
	return appendManifests(dst, c.Old, c.New)
}

// DecodeChanges reads a message of changes.
func DecodeChanges(b []byte) ([]Change, error) {
	d := &decoder{buf: b}
	var changes []Change
	for d.err == nil && len(d.buf) > 0 {
		c := Change{Path: d.path()}
		flags := d.flags(flagOld | flagNew)
		c.Old = d.manifest(flags&flagOld != 0)
		c.New = d.manifest(flags&flagNew != 0)
		changes = append(changes, c)
	}
	return changes, d.end("changes")
}
