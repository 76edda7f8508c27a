package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"dfs/cas"
)

// Bounds of a snapshot's fields.
const (
	MaxParents = 16
	MaxClient  = 255  // bytes
	MaxMessage = 4096 // bytes
)

// Snapshot is the immutable record of a volume's tree at a moment. Its ID is the
// SHA-256 of its encoding.
type Snapshot struct {
	Volume  cas.VolumeID `json:"volume"`
	Seq     uint64       `json:"seq"`     // 1, 2, 3, … within the volume
	Root    cas.ID       `json:"root"`    // the tree's top node
	Parents []cas.ID     `json:"parents"` // the snapshots it follows, at most MaxParents
	Client  string       `json:"client"`  // the host's name, for people; UTF-8
	Replica cas.VolumeID `json:"replica"` // whose changes it holds; zero: the hub's own
	Time    Time         `json:"time"`    // when it was committed; information only
	Message string       `json:"message"` // for people; UTF-8
}

// Validate returns what makes s break a rule of its encoding, or nil.
func (s *Snapshot) Validate() error {
	switch {
	case s.Volume.IsZero():
		return errors.New("volume is zero")
	case s.Seq == 0:
		return errors.New("sequence number is zero")
	case s.Root.IsZero():
		return errors.New("root is zero")
	case len(s.Parents) > MaxParents:
		return fmt.Errorf("%d parents, more than %d", len(s.Parents), MaxParents)
	case len(s.Client) > MaxClient || !utf8.ValidString(s.Client):
		return fmt.Errorf("client %.64q: above %d bytes or not UTF-8", s.Client, MaxClient)
	case len(s.Message) > MaxMessage || !utf8.ValidString(s.Message):
		return fmt.Errorf("message %.64q: above %d bytes or not UTF-8", s.Message, MaxMessage)
	}
	return s.Time.validate()
}

// Encode returns s's encoding. The error is [Snapshot.Validate]'s.
func (s *Snapshot) Encode() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	b := make([]byte, 0, 128+32*len(s.Parents)+len(s.Client)+len(s.Message))
	b = append(b, version)
	b = append(b, s.Volume[:]...)
	b = binary.AppendUvarint(b, s.Seq)
	b = append(b, s.Root[:]...)
	b = binary.AppendUvarint(b, uint64(len(s.Parents)))
	for _, id := range s.Parents {
		b = append(b, id[:]...)
	}
	b = appendBytes(b, s.Client)
	b = append(b, s.Replica[:]...)
	b = appendTime(b, s.Time)
	return appendBytes(b, s.Message), nil
}

// DecodeSnapshot reads an encoding that [Snapshot.Encode] makes, and refuses
// every other. It keeps nothing of b.
func DecodeSnapshot(b []byte) (Snapshot, error) {
	var s Snapshot
	d := &decoder{rest: b}
	d.version()
	s.Volume = d.volume()
	s.Seq = d.uint(1<<64 - 1)
	s.Root = d.id()
	if n := d.uint(MaxParents); n > 0 {
		s.Parents = make([]cas.ID, n)
	}
	for i := range s.Parents {
		s.Parents[i] = d.id()
	}
	s.Client = string(d.bytes(MaxClient))
	s.Replica = d.volume()
	s.Time = d.time()
	s.Message = string(d.bytes(MaxMessage))
	err := d.end()
	if err == nil {
		err = s.Validate()
	}
	if err != nil {
		return Snapshot{}, fmt.Errorf("snapshot: %w", err)
	}
	return s, nil
}
