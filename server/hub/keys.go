package hub

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dfs/cas"
	"dfs/server/api"
)

// The first byte of each key: see the package comment.
const (
	keyVolume   = 'v'
	keySnapshot = 's'
	keySeq      = 'q'
	keySlot     = 'r'
	keyPart     = 'p'
	keyAnswer   = 'a'
	keyConflict = 'c'
	keyOpen     = 'o'
	keySettled  = 'n'
	keyNamed    = 'i'
	keyAccess   = 't'
	keyQuota    = 'l'
)

func volumeKey(v cas.VolumeID) []byte { return slices.Concat([]byte{keyVolume}, v[:]) }

func snapshotKey(v cas.VolumeID, id cas.ID) []byte {
	return slices.Concat([]byte{keySnapshot}, v[:], id[:])
}

func seqKey(v cas.VolumeID, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(slices.Concat([]byte{keySeq}, v[:]), seq)
}

func slotKey(s slot) []byte {
	key := slices.Concat([]byte{keySlot}, s.replica[:], s.volume[:])
	if s.owner.IsZero() {
		return key
	}
	return append(key, s.owner[:]...)
}

func parseSlotKey(key []byte) (s slot) {
	rest := key[1:]
	rest = rest[copy(s.replica[:], rest):]
	copy(s.owner[:], rest[copy(s.volume[:], rest):])
	return s
}

func partsKey(s api.SessionID) []byte { return slices.Concat([]byte{keyPart}, s[:]) }

func partKey(s api.SessionID, part int) []byte {
	return binary.BigEndian.AppendUint32(partsKey(s), uint32(part))
}

// parsePartKey takes apart the key of a slice of a part.
func parsePartKey(key []byte) (id api.SessionID, part, slice int) {
	copy(id[:], key[1:])
	rest := key[1+len(id):]
	return id, int(binary.BigEndian.Uint32(rest)), int(binary.BigEndian.Uint16(rest[4:]))
}

func answerKey(key cas.VolumeID) []byte { return slices.Concat([]byte{keyAnswer}, key[:]) }

// The second byte of a quota's key: whether it is about a volume or a client.
const (
	quotaVolume = 'v'
	quotaClient = 'c'
)

func quotaKey(of quotaOf) []byte {
	about := byte(quotaVolume)
	if of.client {
		about = quotaClient
	}
	return slices.Concat([]byte{keyQuota, about}, of.id[:])
}

func conflictsKey(v cas.VolumeID) []byte { return slices.Concat([]byte{keyConflict}, v[:]) }

// conflictName is what tells a conflict of a volume from others.
type conflictName struct {
	path    string
	replica api.ReplicaID
	id      cas.ID
}

// conflictKey sorts by path as merkle.Compare does: no path has a zero byte or an empty name.
func conflictKey(v cas.VolumeID, c conflictName) []byte {
	return slices.Concat(conflictsKey(v), []byte(strings.ReplaceAll(c.path, "/", "\x00")), []byte{0, 0}, c.replica[:], c.id[:])
}

// parseConflictKey takes apart the key of a conflict.
func parseConflictKey(key []byte) (c conflictName, err error) {
	start, end := 1+len(cas.VolumeID{}), len(key)-len(c.id)-len(c.replica)-2
	if end <= start {
		return c, fmt.Errorf("metadata %q: not the key of a conflict", key)
	}
	c.path = strings.ReplaceAll(string(key[start:end]), "\x00", "/")
	copy(c.replica[:], key[end+2:])
	copy(c.id[:], key[end+2+len(c.replica):])
	return c, nil
}

func openKey(v cas.VolumeID, replica api.ReplicaID, path string) []byte {
	return slices.Concat([]byte{keyOpen}, v[:], replica[:], []byte(path))
}

// parseOpen takes apart the key and the value of an open conflict.
func parseOpen(key, value []byte) (c conflictName, err error) {
	at := 1 + len(cas.VolumeID{})
	start := at + len(c.replica)
	if len(key) <= start || len(value) != len(c.id) {
		return c, fmt.Errorf("metadata %q: not an open conflict", key)
	}
	copy(c.replica[:], key[at:])
	c.path, c.id = string(key[start:]), cas.ID(value)
	return c, nil
}

func settledKey(v cas.VolumeID, replica api.ReplicaID, number uint64) []byte {
	return binary.BigEndian.AppendUint64(settlementsKey(v, replica), number)
}

// settlementsKey begins the keys of the settlements of a replica's conflicts.
func settlementsKey(v cas.VolumeID, replica api.ReplicaID) []byte {
	return slices.Concat([]byte{keySettled}, v[:], replica[:])
}

// settledValue is the value of a settlement's key: the rest of the conflict's name.
func settledValue(c conflictName) []byte { return slices.Concat(c.id[:], []byte(c.path)) }

// parseSettled takes apart the key and the value of a settlement.
func parseSettled(key, value []byte) (c conflictName, err error) {
	at := 1 + len(cas.VolumeID{})
	if len(key) != at+len(c.replica)+8 || len(value) <= len(c.id) {
		return c, fmt.Errorf("metadata %q: not a settlement", key)
	}
	copy(c.replica[:], key[at:])
	copy(c.id[:], value)
	c.path = string(value[len(c.id):])
	return c, nil
}

// namedKey begins, with the first bytes of an ID, the keys of the conflicts that these name; with all of them it is one.
func namedKey(v cas.VolumeID, id []byte) []byte { return slices.Concat([]byte{keyNamed}, v[:], id) }

// namedValue is the value of such a key: the rest of the conflict's name.
func namedValue(c conflictName) []byte { return slices.Concat(c.replica[:], []byte(c.path)) }

// parseNamed takes apart the key and the value of a conflict's ID.
func parseNamed(key, value []byte) (c conflictName, err error) {
	at := 1 + len(cas.VolumeID{})
	if len(key) != at+len(c.id) || len(value) <= len(c.replica) {
		return c, fmt.Errorf("metadata %q: not the ID of a conflict", key)
	}
	copy(c.id[:], key[at:])
	copy(c.replica[:], value)
	c.path = string(value[len(c.replica):])
	return c, nil
}

// volumeRecord is the value of a volume's key.
type volumeRecord struct {
	Name    string       `json:"name"`
	Head    api.Head     `json:"head"`
	Settled uint64       `json:"settled,omitempty"` // the number of the latest settlement
	Owner   api.ClientID `json:"owner,omitzero"`    // who made it; zero: the process itself
	Usage   *api.Usage   `json:"usage,omitempty"`   // of the head's tree; nil: not counted yet
}

// slotRecord is the value of a slot's key: the last session in it.
type slotRecord struct {
	Session api.SessionID  `json:"session"`
	Run     cas.VolumeID   `json:"run"`
	Client  string         `json:"client"`
	Command string         `json:"command"`
	Seen    cas.ID         `json:"seen"`
	Heard   uint64         `json:"heard,omitempty"`
	State   api.State      `json:"state"`
	Answers []cas.VolumeID `json:"answers,omitempty"` // keys of the last commits, oldest first
	Owner   api.ClientID   `json:"owner,omitzero"`    // who started it; zero: the process itself
}

// put returns the write of a record in JSON.
func put(key []byte, rec any) (kv, error) {
	b, err := json.Marshal(rec)
	if err != nil {
		return kv{}, fmt.Errorf("metadata %q: %w", key, err)
	}
	return kv{key, b}, nil
}

// load reads the record of key and reports whether there is one.
func (m *meta) load(key []byte, rec any) (bool, error) {
	b, err := m.get(key)
	if err != nil || b == nil {
		return false, err
	}
	return true, decodeRecord(key, b, rec)
}

func decodeRecord(key, value []byte, rec any) error {
	if err := json.Unmarshal(value, rec); err != nil {
		return fmt.Errorf("metadata %q: %w", key, err)
	}
	return nil
}
