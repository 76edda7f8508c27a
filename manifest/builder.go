package manifest

import (
	"fmt"

	"dfs/cas"
	"dfs/cas/chunker"
)

// A Builder makes the chunk list of one file after another from their runs. It
// keeps at most MaxInline runs and one page a level: memory does not grow
// with the file.
type Builder struct {
	put    func(cas.Blob) error
	last   Run     // the newest run, which may still grow; Count 0 when there is none
	inline []Run   // the runs before it, until they are too many
	levels []level // then the pages under way, from level 0
	size   uint64
	err    error // the first error
}

// level is the page under way at one level.
type level struct {
	buf     []byte // its encoding so far
	entries int
	sum     Child // bytes and runs of the page; the ID is its newest entry's
}

// NewBuilder returns a Builder that gives finished pages to put, children before
// their parents. The pages' bytes are put's to keep.
func NewBuilder(put func(cas.Blob) error) *Builder {
	return &Builder{put: put, inline: make([]Run, 0, MaxInline)}
}

// Add appends a run to the file's content. It merges a run with the one before
// it where both are of the same chunk. The error is that the run or the size is out of
// bounds, or put's; Finish gives it again.
func (b *Builder) Add(r Run) error {
	if b.err == nil {
		b.err = b.add(r)
	}
	return b.err
}

func (b *Builder) add(r Run) error {
	if err := r.validate(); err != nil {
		return err
	}
	if r.Bytes() > maxContent-b.size {
		return fmt.Errorf("content above %d bytes", uint64(maxContent))
	}
	b.size += r.Bytes()
	if b.last.Count == 0 {
		b.last = r
		return nil
	}
	if r.ID == b.last.ID {
		if r.Size != b.last.Size {
			return fmt.Errorf("chunk %s… of %d and of %d bytes", r.ID.Short(), b.last.Size, r.Size)
		}
		b.last.Count += r.Count
		return nil
	}
	done := b.last
	b.last = r
	return b.list(done)
}

// list adds a run that is complete to the inline runs or to the pages.
func (b *Builder) list(r Run) error {
	if len(b.levels) == 0 && len(b.inline) < MaxInline {
		b.inline = append(b.inline, r)
		return nil
	}
	if len(b.levels) == 0 {
		b.levels = append(b.levels, level{})
		for _, r := range b.inline {
			if err := b.page(r); err != nil {
				return err
			}
		}
	}
	return b.page(r)
}

// page adds a run to the page of level 0.
func (b *Builder) page(r Run) error {
	l := b.open(0)
	l.buf = appendRun(l.buf, r)
	return b.added(0, Child{ID: r.ID, Bytes: r.Bytes(), Runs: 1})
}

// open returns level n with a page under way.
func (b *Builder) open(n int) *level {
	if n == len(b.levels) {
		b.levels = append(b.levels, level{})
	}
	l := &b.levels[n]
	if l.entries == 0 {
		l.buf = append(l.buf[:0], version, byte(n))
	}
	return l
}

// added accounts for a new entry of level n, and closes its page where the entry ends it.
func (b *Builder) added(n int, entry Child) error {
	l := &b.levels[n]
	l.entries++
	l.sum = Child{entry.ID, l.sum.Bytes + entry.Bytes, l.sum.Runs + entry.Runs}
	if closes(entry.ID, l.entries) {
		return b.close(n)
	}
	return nil
}

// close puts the page under way at level n and enters it one level up.
func (b *Builder) close(n int) error {
	if n > MaxLevel {
		return fmt.Errorf("content needs pages above level %d", MaxLevel)
	}
	l := &b.levels[n]
	blob := cas.Seal(cas.Page, append([]byte(nil), l.buf...))
	if err := b.put(blob); err != nil {
		return err
	}
	child := Child{blob.ID(), l.sum.Bytes, l.sum.Runs}
	l.entries, l.sum = 0, Child{}
	up := b.open(n + 1)
	up.buf = appendChild(up.buf, child)
	return b.added(n+1, child)
}

// Finish puts the pages that are left and sets m's Size, Profile, Runs and
// Pages to the content that was added. The builder is then ready for the next file,
// also after an error.
func (b *Builder) Finish(m *Manifest) error {
	defer b.Reset()
	if b.err != nil {
		return b.err
	}
	if b.last.Count > 0 {
		if err := b.list(b.last); err != nil {
			return err
		}
	}
	m.Size, m.Profile, m.Runs, m.Pages = b.size, chunker.Profile1, nil, cas.ID{}
	if len(b.levels) == 0 {
		m.Runs = append(m.Runs, b.inline...)
		return nil
	}
	for n := 0; ; n++ {
		l := &b.levels[n]
		if n == len(b.levels)-1 && n > 0 && l.entries == 1 {
			m.Pages = l.sum.ID
			return nil
		}
		if l.entries == 0 {
			continue
		}
		if err := b.close(n); err != nil {
			return err
		}
	}
}

// Reset makes the builder ready for another file, whatever was added.
func (b *Builder) Reset() { *b = Builder{put: b.put, inline: b.inline[:0]} }
