package api

import (
	"bytes"
	"slices"

	"dfs/manifest"
)

// A Verdict says which side a merge took.
type Verdict uint8

// The verdicts of Merge.
const (
	TakeSame   Verdict = iota // both sides are equal already
	TakeOurs                  // the result is ours
	TakeTheirs                // the result is theirs
	TakeBoth                  // the content of one side with attributes of both
	TakeEdit                  // one side deleted what the other changed; the result is the change
	TakeNone                  // conflict: there is no result
)

// Merge decides one path from its manifest in the base, on our side and on
// theirs; nil is absent. Hub and client use it alike: ours is the replica's
// version and theirs the head's. The first row that holds decides:
//
//	ours = theirs                                  that        TakeSame
//	theirs = base                                  ours        TakeOurs
//	ours = base                                    theirs      TakeTheirs
//	one is absent, the other a directory
//	  that differs from base in its mtime alone    absent      TakeOurs or TakeTheirs
//	one is absent                                  the other   TakeEdit
//	content changed on both sides, differently     nil         TakeNone
//	content changed on one side to another kind    that        TakeOurs or TakeTheirs
//	else                                           the changed content with merged attributes
//
// Content is what manifest.SameContent compares. Attributes merge one by one:
// the side that changed it; when both did, the later mtime, and theirs of the
// others. Without a base, or with one of another kind, both sides count as
// changed. A merged result that equals a side has that side's verdict, else
// TakeBoth. The result is one of the arguments or a new manifest that shares
// their slices; the caller must not change it.
func Merge(base, ours, theirs *manifest.Manifest) (*manifest.Manifest, Verdict) {
	switch {
	case manifest.Equal(ours, theirs):
		return theirs, TakeSame
	case manifest.Equal(base, theirs):
		return ours, TakeOurs
	case manifest.Equal(base, ours):
		return theirs, TakeTheirs
	case ours == nil && touched(base, theirs):
		return nil, TakeOurs
	case theirs == nil && touched(base, ours):
		return nil, TakeTheirs
	case ours == nil:
		return theirs, TakeEdit
	case theirs == nil:
		return ours, TakeEdit
	case manifest.SameContent(ours, theirs):
		return mergeAttributes(base, ours, theirs, theirs)
	case base == nil:
		return nil, TakeNone
	case manifest.SameContent(base, ours):
		return mergeAttributes(base, ours, theirs, theirs)
	case manifest.SameContent(base, theirs):
		return mergeAttributes(base, ours, theirs, ours)
	}
	return nil, TakeNone
}

// touched reports whether base and side are directories that differ in nothing but their mtime.
func touched(base, side *manifest.Manifest) bool {
	if base == nil || side == nil || base.Kind != manifest.Directory {
		return false
	}
	same := *side
	same.Mtime = base.Mtime
	return manifest.Equal(base, &same)
}

// mergeAttributes returns content, which is ours or theirs, with the merged attributes of both.
func mergeAttributes(base, ours, theirs, content *manifest.Manifest) (*manifest.Manifest, Verdict) {
	if ours.Kind != theirs.Kind {
		if content == ours {
			return ours, TakeOurs
		}
		return theirs, TakeTheirs
	}
	merged := *content
	if base == nil || base.Kind != content.Kind {
		merged.Mode, merged.Ext, merged.Mtime = theirs.Mode, theirs.Ext, later(ours.Mtime, theirs.Mtime)
	} else {
		merged.Mode = theirs.Mode
		if theirs.Mode == base.Mode {
			merged.Mode = ours.Mode
		}
		merged.Ext = theirs.Ext
		if sameExt(theirs.Ext, base.Ext) {
			merged.Ext = ours.Ext
		}
		merged.Mtime = mergeTime(base.Mtime, ours.Mtime, theirs.Mtime)
	}
	switch {
	case manifest.Equal(&merged, theirs):
		return theirs, TakeTheirs
	case manifest.Equal(&merged, ours):
		return ours, TakeOurs
	}
	return &merged, TakeBoth
}

func mergeTime(base, ours, theirs manifest.Time) manifest.Time {
	switch base {
	case theirs:
		return ours
	case ours:
		return theirs
	}
	return later(ours, theirs)
}

func later(a, b manifest.Time) manifest.Time {
	if a.Compare(b) > 0 {
		return a
	}
	return b
}

func sameExt(a, b []manifest.Ext) bool {
	return slices.EqualFunc(a, b, func(x, y manifest.Ext) bool {
		return x.Tag == y.Tag && bytes.Equal(x.Value, y.Value)
	})
}
