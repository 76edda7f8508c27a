package worktree

import (
	"errors"
	"math"
	"os"
	"time"

	"dfs/manifest"
)

// Traits are what a file system keeps of an entry's attributes. What it does not keep
// must not be compared; modes are not even set then.
type Traits struct {
	Modes bool          // permission bits
	Tick  time.Duration // modification times are multiples of it; the longest duration: they are not kept
}

// Whole reports whether the file system keeps everything.
func (t Traits) Whole() bool { return t.Modes && t.Tick <= 1 && keepsLinkTimes }

// Traits tells what the root's file system keeps, as a file in the state directory
// shows. Where that fails everything is taken to be kept. What is mounted below the root
// is taken to keep what the root's file system keeps.
func (r *Root) Traits() Traits {
	r.learn.Do(func() { r.traits = r.tryTraits() })
	return r.traits
}

func (r *Root) tryTraits() Traits {
	whole := Traits{Modes: true, Tick: 1}
	state, err := r.dir.sub(stateName)
	if err != nil {
		return whole
	}
	defer state.close()
	const name = "traits"
	h, err := state.create(name, ownerOnly)
	if err != nil { // left by a run that was killed
		state.unlink(name)
		if h, err = state.create(name, ownerOnly); err != nil {
			return whole
		}
	}
	defer state.unlink(name)
	defer h.close()
	odd := manifest.Time{Sec: 1234567891, Nsec: 123456789}
	modes := h.setMode(0o640)
	if modes != nil && !errors.Is(modes, os.ErrPermission) && !errors.Is(modes, errors.ErrUnsupported) {
		return whole
	}
	if err := h.setMtime(odd); err != nil {
		return whole
	}
	e, err := h.stat()
	if err != nil {
		return whole
	}
	return Traits{Modes: modes == nil && e.Mode&modeBits == 0o640, Tick: tickOf(odd, e.Mtime)}
}

// tickOf returns the coarsest of the usual ticks of which kept, made of set, is a multiple.
func tickOf(set, kept manifest.Time) time.Duration {
	switch {
	case set == kept:
		return 1
	case apart(set, kept) > 2*time.Second:
		return math.MaxInt64
	}
	ticks := []time.Duration{2 * time.Second, time.Second, 10 * time.Millisecond, time.Millisecond, time.Microsecond, 100}
	for _, tick := range ticks {
		if (time.Duration(kept.Sec%2)*time.Second+time.Duration(kept.Nsec))%tick == 0 {
			return tick
		}
	}
	return 1
}

// Fit makes m, which the directory has, equal to like, of the base or of the hub, in what the
// file system does not keep; nil is absent. Without a like of that kind the mode is
// the usual one. It returns m itself where nothing is to be changed.
func (t Traits) Fit(m, like *manifest.Manifest) *manifest.Manifest {
	if m == nil || t.Whole() {
		return m
	}
	fitted := *m
	known := like != nil && like.Kind == m.Kind
	switch {
	case t.Modes || m.Kind == manifest.Symlink:
	case known:
		fitted.Mode = like.Mode
	case m.Kind == manifest.Directory:
		fitted.Mode = 0o755
	default:
		fitted.Mode = 0o644
	}
	kept := m.Kind != manifest.Symlink || keepsLinkTimes
	if known && manifest.SameContent(m, like) && (!kept || apart(m.Mtime, like.Mtime) < t.Tick) {
		fitted.Mtime = like.Mtime
	}
	return &fitted
}

func apart(a, b manifest.Time) time.Duration {
	return time.Unix(a.Sec, int64(a.Nsec)).Sub(time.Unix(b.Sec, int64(b.Nsec))).Abs()
}
