package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"

	"dfs/cas"
)

// paged stands where the number of inline runs would, when the content is paged.
const paged = MaxInline + 1

// minExt and minRun are the fewest bytes that one of these can take.
const (
	minExt = 2
	minRun = 1 + 32
)

// Append appends m's encoding to b. The error is [Manifest.Validate]'s, or that the
// encoding has more than MaxEncoded bytes; b is then returned as it was.
func (m *Manifest) Append(b []byte) ([]byte, error) {
	if err := m.Validate(); err != nil {
		return b, fmt.Errorf("manifest: %w", err)
	}
	out := append(b, version, byte(m.Kind))
	out = binary.AppendUvarint(out, uint64(m.Mode))
	out = appendTime(out, m.Mtime)
	switch {
	case m.Kind == Symlink:
		out = appendBytes(out, m.Target)
	case m.Kind == File && !m.Pages.IsZero():
		out = append(out, m.Profile, paged)
		out = binary.AppendUvarint(out, m.Size)
		out = append(out, m.Pages[:]...)
	case m.Kind == File:
		out = append(out, m.Profile, byte(len(m.Runs)))
		for _, r := range m.Runs {
			out = appendRun(out, r)
		}
	}
	out = binary.AppendUvarint(out, uint64(len(m.Ext)))
	for _, e := range m.Ext {
		out = binary.AppendUvarint(out, uint64(e.Tag))
		out = appendBytes(out, e.Value)
	}
	if n := len(out) - len(b); n > MaxEncoded {
		return b, fmt.Errorf("manifest: encoding has %d bytes, more than %d", n, MaxEncoded)
	}
	return out, nil
}

// Encode returns m's encoding; see [Manifest.Append].
func (m *Manifest) Encode() ([]byte, error) {
	return m.Append(make([]byte, 0, 64+40*len(m.Runs)+len(m.Target)))
}

// Hash returns the SHA-256 of m's encoding, and the zero ID when m is nil: an absent
// entry. It panics when m is not valid.
func (m *Manifest) Hash() cas.ID {
	if m == nil {
		return cas.ID{}
	}
	b, err := m.Encode()
	if err != nil {
		panic(err)
	}
	return cas.Sum(b)
}

// KindOf returns the kind that an encoding begins with, without reading the rest.
func KindOf(b []byte) (Kind, error) {
	d := &decoder{rest: b}
	d.version()
	kind := Kind(d.byte())
	if d.err == nil && kind != File && kind != Directory && kind != Symlink {
		d.fail(fmt.Errorf("kind %d is not known", kind))
	}
	if d.err != nil {
		return 0, fmt.Errorf("manifest: %w", d.err)
	}
	return kind, nil
}

// Decode reads an encoding that [Manifest.Append] makes, and refuses every
// other. It keeps nothing of b.
func Decode(b []byte) (*Manifest, error) {
	if len(b) > MaxEncoded {
		return nil, fmt.Errorf("manifest: encoding has %d bytes, more than %d", len(b), MaxEncoded)
	}
	d := &decoder{rest: b}
	m := decodeManifest(d)
	err := d.end()
	if err == nil {
		err = m.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return m, nil
}

func decodeManifest(d *decoder) *Manifest {
	m := new(Manifest)
	d.version()
	m.Kind = Kind(d.byte())
	m.Mode = uint16(d.uint(0o7777))
	m.Mtime = d.time()
	switch m.Kind {
	case File:
		m.Profile = d.byte()
		decodeContent(d, m)
	case Symlink:
		m.Target = string(d.bytes(MaxTarget))
	}
	if n := d.uint(uint64(len(d.rest)) / minExt); n > 0 {
		m.Ext = make([]Ext, n)
	}
	for i := range m.Ext {
		m.Ext[i].Tag = uint32(d.uint(1<<32 - 1))
		m.Ext[i].Value = append([]byte(nil), d.bytes(MaxEncoded)...)
	}
	return m
}

func decodeContent(d *decoder, m *Manifest) {
	n := d.byte()
	switch {
	case n == paged:
		m.Size = d.uint(maxContent)
		if m.Pages = d.id(); m.Pages.IsZero() {
			d.fail(errors.New("root page has the zero ID"))
		}
	case int(n)*minRun > len(d.rest):
		d.fail(errShort)
	case n > 0:
		m.Runs = make([]Run, n)
		for i := range m.Runs {
			m.Runs[i] = d.run()
			m.Size += m.Runs[i].Bytes()
		}
	}
}
