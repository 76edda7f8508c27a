// Package merge3 merges two edits of one text, and shows what differs between
// two texts. It is pure: it reads no disk and asks nobody.
//
// A text is a sequence of lines, each with its terminator: "a\n", "a\r\n" and
// "a" at the end of a text are three lines. Text means what git takes for it
// (IsText).
//
// A merge is what `git merge-file` makes of the three texts where that leaves no
// conflict. Each side is compared with the base; what both sides changed in
// touching places (no line of the base that both kept lies between) must be
// changed to the same lines. Which lines count as kept decides then about the
// result, so the comparison makes git's choices:
//
//   - Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), in its
//     linear-space form, with the ways of GNU diff to end a search early;
//   - first equal ends are set aside, and lines without a counterpart, or with
//     very many among such, are not searched for;
//   - at last each change that can slide along equal lines slides down as far as
//     it goes, or to the last place where it meets a change of the other text.
//
// # Bounds
//
// A text of more than MaxSize bytes or a million lines does not merge. The
// search has a budget of steps, one to three seconds of a core for all of a
// merge; texts that need more do not merge. So git may merge what this package
// does not, but not the other way round. Beside the three texts and the result
// a merge takes some 60 bytes a line.
package merge3

import "bytes"

const (
	// MaxSize is how many bytes a text may have that Merge takes.
	MaxSize = 16 << 20

	maxLines = 1 << 20 // of one text
	maxSteps = 1 << 28 // of a merge or of a diff
	sniffed  = 8000    // where git looks for a NUL
)

// IsText reports whether git would take b for text: there is no NUL in its first
// 8,000 bytes.
func IsText(b []byte) bool {
	return bytes.IndexByte(b[:min(len(b), sniffed)], 0) < 0
}

// Merge returns base with the changes of ours and of theirs. It is not clean,
// and merged is nil, where they changed touching lines differently, where one of
// the three is not text, and beyond the bounds of the package. There are never
// conflict markers in merged; it shares no memory with the arguments. Sides that
// are exchanged give the same.
func Merge(base, ours, theirs []byte) (merged []byte, clean bool) {
	return merge(base, ours, theirs, &budget{left: maxSteps})
}

func merge(base, ours, theirs []byte, steps *budget) (merged []byte, clean bool) {
	for _, data := range [][]byte{base, ours, theirs} {
		if len(data) > MaxSize || !IsText(data) {
			return nil, false
		}
	}
	b, o, t := cut(base), cut(ours), cut(theirs)
	if max(b.len(), o.len(), t.len()) > maxLines {
		return nil, false
	}
	classes := classify(&b, &o, &t)
	byOurs := diff(b, o, classes, steps)
	byTheirs := diff(b, t, classes, steps)
	if steps.spent() {
		return nil, false
	}
	return combine(b, side{o, byOurs}, side{t, byTheirs})
}

// side is a text and how it comes from the base.
type side struct {
	text  text
	hunks []hunk
}

// combine puts together base and what the sides did to it.
func combine(base text, ours, theirs side) (merged []byte, clean bool) {
	merged = make([]byte, 0, max(len(base.data), len(ours.text.data), len(theirs.text.data)))
	done := 0 // lines of base
	for len(ours.hunks)+len(theirs.hunks) > 0 {
		nOurs, nTheirs, start, end := touching(ours.hunks, theirs.hunks)
		result := ours.take(nOurs, start, end)
		if nOurs == 0 {
			result = theirs.take(nTheirs, start, end)
		} else if nTheirs > 0 && !bytes.Equal(result, theirs.take(nTheirs, start, end)) {
			return nil, false
		}
		merged = append(merged, base.slice(done, start)...)
		merged = append(merged, result...)
		done = end
		ours.hunks, theirs.hunks = ours.hunks[nOurs:], theirs.hunks[nTheirs:]
	}
	return append(merged, base.slice(done, base.len())...), true
}

// touching returns how many of the first hunks of either side touch one another,
// and the lines of the base that they span. Hunks that meet at one line boundary
// touch.
func touching(ours, theirs []hunk) (nOurs, nTheirs, start, end int) {
	if len(ours) == 0 || len(theirs) > 0 && theirs[0].a0 < ours[0].a0 {
		start = theirs[0].a0
	} else {
		start = ours[0].a0
	}
	for end = start; ; {
		if nOurs < len(ours) && ours[nOurs].a0 <= end {
			end = max(end, ours[nOurs].a1)
			nOurs++
		} else if nTheirs < len(theirs) && theirs[nTheirs].a0 <= end {
			end = max(end, theirs[nTheirs].a1)
			nTheirs++
		} else {
			return nOurs, nTheirs, start, end
		}
	}
}

// take returns what the side has in place of the lines start to end of the
// base, which hold its first n hunks; nil if n is 0.
func (s side) take(n, start, end int) []byte {
	if n == 0 {
		return nil
	}
	first, last := s.hunks[0], s.hunks[n-1]
	return s.text.slice(first.b0-(first.a0-start), last.b1+(end-last.a1))
}
