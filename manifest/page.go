package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"

	"dfs/cas"
)

// Bounds of pages.
const (
	MaxEntries = 1024 // entries of a page
	MaxLevel   = 15   // of a page; level 7 is enough for a file of 2^63 bytes
)

// Page lists a part of a large file's content: runs at level 0, pages of one
// level less above.
type Page struct {
	Level    uint8
	Runs     []Run   // at level 0, else nil
	Children []Child // above level 0, else nil
}

// Child names a page and says how much of the content it lists.
type Child struct {
	ID    cas.ID
	Bytes uint64 // of the content
	Runs  uint64
}

// closes reports whether a page ends after its n-th entry (from 1), which has this ID.
func closes(id cas.ID, n int) bool { return id[0] == 0 && n > 1 || n == MaxEntries }

// Validate returns what makes p break a rule of this package, or nil.
func (p *Page) Validate() error {
	if p.Level > MaxLevel {
		return fmt.Errorf("level %d is above %d", p.Level, MaxLevel)
	}
	if p.Level > 0 && p.Runs != nil || p.Level == 0 && p.Children != nil {
		return fmt.Errorf("entries are not those of level %d", p.Level)
	}
	n := len(p.Runs) + len(p.Children)
	if n == 0 || n > MaxEntries {
		return fmt.Errorf("%d entries", n)
	}
	for i := range n - 1 {
		if id := p.id(i); closes(id, i+1) {
			return fmt.Errorf("goes on after entry %d (%s…), which ends a page", i, id.Short())
		}
	}
	if p.Level == 0 {
		_, err := sumRuns(p.Runs)
		return err
	}
	var sum Child
	for i, c := range p.Children {
		if c.ID.IsZero() || c.Bytes == 0 || c.Runs == 0 || c.Runs > c.Bytes || c.Bytes > maxContent-sum.Bytes {
			return fmt.Errorf("entry %d: page %s… of %d bytes in %d runs", i, c.ID.Short(), c.Bytes, c.Runs)
		}
		sum.Bytes += c.Bytes
	}
	return nil
}

// id returns the ID of entry i.
func (p *Page) id(i int) cas.ID {
	if p.Level == 0 {
		return p.Runs[i].ID
	}
	return p.Children[i].ID
}

// Sum returns the bytes and runs of content that a valid page lists.
func (p *Page) Sum() (bytes, runs uint64) {
	for _, r := range p.Runs {
		bytes += r.Bytes()
	}
	runs = uint64(len(p.Runs))
	for _, c := range p.Children {
		bytes += c.Bytes
		runs += c.Runs
	}
	return bytes, runs
}

// CheckChild returns what makes child another page than entry i of p says, which is above level 0, or nil.
func (p *Page) CheckChild(i int, child *Page) error {
	says := p.Children[i]
	bytes, runs := child.Sum()
	if child.Level != p.Level-1 || bytes != says.Bytes || runs != says.Runs {
		return fmt.Errorf("has level %d, %d bytes and %d runs; its parent says %d, %d and %d",
			child.Level, bytes, runs, p.Level-1, says.Bytes, says.Runs)
	}
	return nil
}

// CheckRoot returns what makes p no root of a content of so many bytes, or nil.
func (p *Page) CheckRoot(size uint64) error {
	bytes, runs := p.Sum()
	switch {
	case bytes != size:
		return fmt.Errorf("lists %d bytes of %d", bytes, size)
	case runs <= MaxInline:
		return fmt.Errorf("lists %d runs, which belong into the manifest", runs)
	case p.Level > 0 && len(p.Children) == 1:
		return errors.New("is a root with one entry")
	}
	return nil
}

// Names returns the blobs that the page names itself, in order, with repetitions:
// the chunks of its runs or its child pages.
func (p *Page) Names() []cas.Ref {
	refs := make([]cas.Ref, 0, len(p.Runs)+len(p.Children))
	for _, r := range p.Runs {
		refs = append(refs, cas.Ref{Kind: cas.Chunk, ID: r.ID})
	}
	for _, c := range p.Children {
		refs = append(refs, cas.Ref{Kind: cas.Page, ID: c.ID})
	}
	return refs
}

// Encode returns p's encoding. The error is [Page.Validate]'s.
func (p *Page) Encode() ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	b := make([]byte, 0, 2+40*(len(p.Runs)+len(p.Children)))
	b = append(b, version, p.Level)
	for _, r := range p.Runs {
		b = appendRun(b, r)
	}
	for _, c := range p.Children {
		b = appendChild(b, c)
	}
	return b, nil
}

func appendChild(b []byte, c Child) []byte {
	b = binary.AppendUvarint(b, c.Bytes)
	b = binary.AppendUvarint(b, c.Runs)
	return append(b, c.ID[:]...)
}

// DecodePage reads an encoding that [Page.Encode] makes, and refuses every
// other. It keeps nothing of b.
func DecodePage(b []byte) (*Page, error) {
	d := &decoder{rest: b}
	p := new(Page)
	d.version()
	p.Level = d.byte()
	const minChild = 2 + 32
	if p.Level == 0 {
		p.Runs = make([]Run, 0, min(len(d.rest)/minRun, MaxEntries))
	} else {
		p.Children = make([]Child, 0, min(len(d.rest)/minChild, MaxEntries))
	}
	for n := 0; len(d.rest) > 0 && n < MaxEntries; n++ {
		if p.Level == 0 {
			p.Runs = append(p.Runs, d.run())
		} else {
			p.Children = append(p.Children, Child{Bytes: d.uint(maxContent), Runs: d.uint(maxContent), ID: d.id()})
		}
	}
	err := d.end()
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	return p, nil
}
