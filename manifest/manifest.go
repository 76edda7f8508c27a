// Package manifest says what the entries of a tree are: [Manifest] is one entry,
// [Page] the chunk list of a large file, [Snapshot] the record of a tree at a
// moment. Each has one canonical encoding, whose SHA-256 names it. A [Builder] makes
// the chunk list of a file; [Runs] and [Open] read it back.
//
// # Encodings, version 1
//
// uint is an unsigned integer as in encoding/binary's Uvarint, in the
// fewest bytes; int is a signed one as in its Varint, likewise. ID is the 32 bytes of a
// SHA-256. Decoders accept exactly what encoders make: each value has one encoding.
//
//	manifest  = %x01 kind mode time body exts       ; at most 16,384 bytes
//	kind      = %x01 / %x02 / %x03                  ; file, directory, symlink
//	mode      = uint                                ; ≤ 07777
//	time      = int uint                            ; seconds since 1970, nanoseconds < 10^9
//	body      = file / "" / symlink                 ; by kind
//	file      = profile ( inline / paged )
//	profile   = %x01                                ; see cas/chunker
//	inline    = count *run                          ; count: a byte, 0 to 64: so many runs
//	paged     = %x41 size ID                        ; size: uint, bytes of content; ID of the root page
//	run       = head [ more ] ID                    ; consecutive equal chunks
//	head      = uint                                ; bytes of each chunk × 2, + 1 when more than one chunk
//	more      = uint                                ; number of chunks - 2, when more than one
//	symlink   = uint *OCTET                         ; length (1 to 4,095) and target, without NUL
//	exts      = uint *( tag uint *OCTET )           ; number; tag, length, value each
//	tag       = uint                                ; < 2^32, ascending; odd tags (critical) are refused
//
//	page      = %x01 level 1*entry                  ; 1 to 1,024 entries
//	level     = %x00-0F
//	entry     = run / child                         ; at level 0 / above
//	child     = size uint ID                        ; bytes, runs and ID of a page of one level less
//
//	snapshot  = %x01 volume seq root parents client replica time message
//	volume    = 16OCTET                             ; not zero
//	seq       = uint                                ; from 1
//	root      = ID                                  ; of the tree's top node; not zero
//	parents   = uint *ID                            ; number (at most 16), snapshots
//	client    = uint *OCTET                         ; length (at most 255), UTF-8
//	replica   = 16OCTET
//	message   = uint *OCTET                         ; length (at most 4,096), UTF-8
//
// A chunk has 1 to 262,144 bytes, a file less than 2^63. Neighbouring runs have
// different IDs, also across pages. Content of up to 64 runs is inline, of more
// it is paged.
//
// Pages are cut by content, so that a changed run rewrites its page, seldom a
// neighbour, and their ancestors: at every level a page ends after an entry whose ID's
// first byte is 0 if that is not the page's first entry, else after 1,024 entries,
// else with the level: 257 entries on average. The root page is the only one of its
// level, and has two or more entries.
//
// A file of 11 bytes, "hello world", with mode 0644, changed 1 ns after
// 2001-09-09 01:46:40 UTC, is these 46 bytes:
//
//	01                      version
//	01                      file
//	a403                    mode 0644
//	80a8d6b907              1,000,000,000 s
//	01                      1 ns
//	01                      profile 1
//	01                      one run:
//	16                      one chunk of 11 bytes
//	b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9
//	00                      no exts
//
// A page of two runs, 3 chunks of 49,152 zeros and one chunk of 11 bytes:
//
//	01                      version
//	00                      level 0
//	818006 01               49,152 bytes each, 2 + 1 chunks
//	2aae7dc846aaf25f1cadf55f1666862046c6db9d65d84bdc07fa039dac405606
//	16                      one chunk of 11 bytes
//	b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9
//
// A snapshot of volume 01…00, the first, of host "h", with an empty message:
//
//	01                      version
//	01000000000000000000000000000000
//	01                      sequence number 1
//	b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9
//	00                      no parents
//	01 68                   client "h"
//	02000000000000000000000000000000
//	80a8d6b907              1,000,000,000 s
//	01                      1 ns
//	00                      no message
package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dfs/cas"
	"dfs/cas/chunker"
)

// Kind is what an entry of a tree is.
type Kind uint8

// The kinds of entries.
const (
	File      Kind = 1
	Directory Kind = 2
	Symlink   Kind = 3
)

// String returns the kind's name: "file", "directory", "symlink".
func (k Kind) String() string {
	switch k {
	case File:
		return "file"
	case Directory:
		return "directory"
	case Symlink:
		return "symlink"
	}
	return "unknown"
}

// Time is a moment of a file system: seconds since 1970 and nanoseconds within
// the second, 0 ≤ Nsec < 1e9. Times before 1970 have negative Sec.
type Time struct {
	Sec  int64  `json:"sec"`
	Nsec uint32 `json:"nsec"`
}

// Compare orders times: -1, 0 or +1.
func (t Time) Compare(u Time) int {
	switch {
	case t.Sec < u.Sec || t.Sec == u.Sec && t.Nsec < u.Nsec:
		return -1
	case t == u:
		return 0
	}
	return +1
}

func (t Time) validate() error {
	if t.Nsec >= 1e9 {
		return fmt.Errorf("time: %d nanoseconds", t.Nsec)
	}
	return nil
}

// Run is Count ≥ 1 consecutive equal chunks of Size bytes each. Everything but
// holes and repeated blocks has Count 1.
type Run struct {
	ID    cas.ID
	Size  uint32
	Count uint64
}

// Bytes returns the number of plain bytes of the run.
func (r Run) Bytes() uint64 { return uint64(r.Size) * r.Count }

func (r Run) validate() error {
	switch {
	case r.ID.IsZero():
		return errors.New("chunk with the zero ID")
	case r.Size == 0 || r.Size > chunker.Max:
		return fmt.Errorf("chunk %s… of %d bytes", r.ID.Short(), r.Size)
	case r.Count == 0 || r.Count > maxContent/uint64(r.Size):
		return fmt.Errorf("run of %d chunks of %d bytes", r.Count, r.Size)
	}
	return nil
}

// Ext is an attribute that version 1 does not define. Tags are unique and
// ascending. A tag with the lowest bit set is critical: a reader that does not
// know it must refuse the manifest. All tags are unknown to version 1.
type Ext struct {
	Tag   uint32
	Value []byte
}

// Bounds of manifests.
const (
	// MaxInline is the most runs that a manifest lists itself; longer content is
	// listed by pages.
	MaxInline = 64
	// MaxEncoded is the most bytes of a manifest's encoding.
	MaxEncoded = 16 << 10
	// MaxTarget is the most bytes of a symlink's target.
	MaxTarget = 4095

	maxContent = 1<<63 - 1 // bytes of a file
)

// Manifest says what one entry of a tree is. The zero Manifest is not valid.
type Manifest struct {
	Kind    Kind
	Mode    uint16 // permission bits with setuid, setgid and sticky: 07777
	Mtime   Time
	Size    uint64 // bytes of a file's content; 0 for others
	Profile uint8  // the chunking profile of a file; 0 for others
	Runs    []Run  // a file's content in order, at most MaxInline, adjacent runs of one chunk merged; nil when empty or paged
	Pages   cas.ID // else the root page of the content; zero when not paged
	Target  string // a symlink's target, any bytes but NUL, 1 to 4,095 of them
	Ext     []Ext  // usually nil
}

// Validate returns what makes m break a rule of this package, or nil. It
// cannot see whether the pages of a large file are right; [Runs] does.
func (m *Manifest) Validate() error {
	if m.Mode > 0o7777 {
		return fmt.Errorf("mode %#o", m.Mode)
	}
	if err := m.Mtime.validate(); err != nil {
		return err
	}
	var err error
	switch m.Kind {
	case File:
		err = m.validateFile()
	case Directory:
	case Symlink:
		err = validateTarget(m.Target)
	default:
		err = fmt.Errorf("kind %d is not known", m.Kind)
	}
	if err != nil {
		return err
	}
	if m.Kind != File && (m.Size != 0 || m.Profile != 0 || m.Runs != nil || !m.Pages.IsZero()) {
		return fmt.Errorf("%v with content", m.Kind)
	}
	if m.Kind != Symlink && m.Target != "" {
		return fmt.Errorf("%v with a link target", m.Kind)
	}
	return m.validateExt()
}

func (m *Manifest) validateFile() error {
	if err := chunker.CheckProfile(m.Profile); err != nil {
		return err
	}
	if m.Size > maxContent {
		return fmt.Errorf("content of %d bytes", m.Size)
	}
	if !m.Pages.IsZero() {
		if len(m.Runs) > 0 || m.Size <= MaxInline {
			return fmt.Errorf("content of %d bytes both inline (%d runs) and paged, or too short for pages", m.Size, len(m.Runs))
		}
		return nil
	}
	if len(m.Runs) > MaxInline {
		return fmt.Errorf("%d runs inline", len(m.Runs))
	}
	sum, err := sumRuns(m.Runs)
	if err == nil && sum != m.Size {
		err = fmt.Errorf("size %d, but the runs have %d bytes", m.Size, sum)
	}
	return err
}

// sumRuns checks the runs of one list and returns the number of their bytes.
func sumRuns(runs []Run) (sum uint64, err error) {
	for i, r := range runs {
		if err := r.validate(); err != nil {
			return 0, fmt.Errorf("run %d: %w", i, err)
		}
		if i > 0 && r.ID == runs[i-1].ID {
			return 0, fmt.Errorf("run %d: repeats the chunk before it", i)
		}
		if sum += r.Bytes(); sum > maxContent {
			return 0, fmt.Errorf("run %d: content above %d bytes", i, uint64(maxContent))
		}
	}
	return sum, nil
}

func validateTarget(target string) error {
	if n := len(target); n == 0 || n > MaxTarget {
		return fmt.Errorf("link target of %d bytes", n)
	}
	if strings.IndexByte(target, 0) >= 0 {
		return fmt.Errorf("link target %q contains NUL", target)
	}
	return nil
}

func (m *Manifest) validateExt() error {
	for i, e := range m.Ext {
		if e.Tag&1 != 0 {
			return fmt.Errorf("critical attribute %d is not known", e.Tag)
		}
		if i > 0 && e.Tag <= m.Ext[i-1].Tag {
			return fmt.Errorf("attribute %d after %d", e.Tag, m.Ext[i-1].Tag)
		}
	}
	return nil
}

// SameContent reports whether a and b are the same kind with the same content
// or link target, whatever their other attributes; two absent entries
// (nil) are the same.
func SameContent(a, b *Manifest) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kind == b.Kind && a.Size == b.Size && a.Target == b.Target && a.Pages == b.Pages && slices.Equal(a.Runs, b.Runs)
}

// Equal reports whether a and b are the same in everything, or both nil.
func Equal(a, b *Manifest) bool {
	if a == nil || b == nil {
		return a == b
	}
	return SameContent(a, b) && a.Mode == b.Mode && a.Mtime == b.Mtime && a.Profile == b.Profile &&
		slices.EqualFunc(a.Ext, b.Ext, func(x, y Ext) bool { return x.Tag == y.Tag && string(x.Value) == string(y.Value) })
}
