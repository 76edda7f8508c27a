package castest

import (
	"bytes"
	"slices"
	"testing"

	"dfs/cas"
)

// testOwnForm has two volumes put a blob in different encodings, and others take it over
// from each: all read it as it came to them, whoever else put it before or after.
func testOwnForm(t *testing.T, s cas.Store) {
	for i, kind := range []cas.Kind{cas.Chunk, cas.Page} {
		raw := cas.Seal(kind, bytes.Repeat([]byte{byte(i)}, 1000))
		forms := []cas.Blob{raw, cas.NewCodec(cas.CompressFast).Compress(raw, nil)}
		for n := range forms {
			put(t, s, Volume(n), forms[(i+n)%2])
			if missing(t, s, Volume(10+n), only(Volume(n)), raw.Ref())[0] {
				t.Fatal("what was put is missing")
			}
		}
		if missing(t, s, Volume(20), only(Volume(10)), raw.Ref())[0] {
			t.Fatal("what was taken over is missing")
		}
		put(t, s, Volume(0), forms[(i+1)%2]) // which it holds
		for v, n := range map[int]int{0: 0, 1: 1, 10: 0, 11: 1, 20: 0} {
			want := forms[(i+n)%2]
			err := s.Get(t.Context(), only(Volume(v)), []cas.Ref{raw.Ref()}, func(got cas.Blob) error {
				if got.Encoding() != want.Encoding() || !bytes.Equal(got.Data(), want.Data()) {
					t.Errorf("volume %d reads encoding %d, want %d", v, got.Encoding(), want.Encoding())
				}
				return nil
			})
			if err != nil {
				t.Errorf("volume %d: %v", v, err)
			}
		}
	}
}

func testVisibility(t *testing.T, s cas.Store) {
	v, w, stranger := Volume(1), Volume(2), Volume(3)
	b := chunk(1, 3<<10)
	put(t, s, v, b)
	wantNotFound(t, s, only(w), b.Ref())
	wantNotFound(t, s, only(), b.Ref())
	want(t, s, only(w, v), b)
	if got := missing(t, s, stranger, only(w), b.Ref()); !got[0] {
		t.Error("a blob of volume 1 is not missing from scope {2}")
	}
	if got := missing(t, s, stranger, only(), b.Ref()); !got[0] {
		t.Error("a blob of volume 1 is not missing from the empty scope")
	}
	wantNotFound(t, s, only(stranger, w), b.Ref())
	if got := missing(t, s, v, only(), b.Ref()); got[0] {
		t.Error("a volume's own blob is missing when the scope does not name it")
	}
	put(t, s, w, b)
	want(t, s, only(w), b)
	wantNotFound(t, s, only(stranger), b.Ref())
}

func testAdoption(t *testing.T, s cas.Store) {
	v, w, all := Volume(1), Volume(2), Volume(3)
	b, absent := chunk(1, 3<<10), chunk(2, 3<<10)
	put(t, s, v, b)
	got := missing(t, s, w, only(v), absent.Ref(), b.Ref(), absent.Ref())
	if !slices.Equal(got, []bool{true, false, true}) {
		t.Errorf("missing: %v", got)
	}
	want(t, s, only(w), b)
	if got := missing(t, s, all, cas.Everything(), b.Ref()); got[0] {
		t.Error("missing from everything")
	}
	want(t, s, only(all), b)
	wantNotFound(t, s, cas.Everything(), absent.Ref())
	if err := s.Barrier(t.Context()); err != nil {
		t.Errorf("Barrier: %v", err)
	}
}

// testSizes asks for the sizes of blobs, raw and compressed, as who put them, who takes them over from one that it
// sees or from any, and who has them then.
func testSizes(t *testing.T, s cas.Store) {
	v, absent := Volume(1), cas.Ref{Kind: cas.Chunk, ID: cas.ID{1}}
	for i, size := range []int{0, 1, 127, 128, 129, 16383, 16384, 16385, 64 << 10, 256 << 10, cas.MaxSize} {
		raw := chunk(uint64(i), size)
		packed := cas.NewCodec(cas.CompressMax).Compress(cas.Seal(cas.Chunk, bytes.Repeat([]byte{byte(i)}, size)), nil)
		put(t, s, v, raw, packed)
		for _, ask := range []struct {
			by    cas.VolumeID
			scope cas.Scope
		}{{v, only()}, {Volume(2), only(v)}, {Volume(2), only()}, {Volume(3), cas.Everything()}, {Volume(3), only()}, {Volume(4), only(Volume(3))}} {
			got, err := s.Sizes(t.Context(), ask.by, ask.scope, []cas.Ref{raw.Ref(), absent, packed.Ref()})
			if err != nil || !slices.Equal(got, []int{size, cas.Absent, size}) {
				t.Errorf("%d bytes, volume %v, scope %v: %v, %v", size, ask.by, ask.scope, got, err)
			}
		}
	}
}
