// Package castest is the contract of [cas.Store] as a test suite. Every
// implementation runs it:
//
//	func TestStore(t *testing.T) {
//		castest.TestStore(t, func(t *testing.T) cas.Store { return open(t, t.TempDir()) })
//	}
package castest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"dfs/cas"
)

// TestStore runs the whole contract as subtests. Each calls open once for an
// empty store, and closes it at its end.
func TestStore(t *testing.T, open func(t *testing.T) cas.Store) {
	cases := []struct {
		name string
		run  func(t *testing.T, s cas.Store)
	}{
		{"PutGet", testPutGet},
		{"AsStored", testAsStored},
		{"OwnForm", testOwnForm},
		{"NotKept", testNotKept},
		{"Refused", testRefused},
		{"Idempotent", testIdempotent},
		{"Visibility", testVisibility},
		{"Adoption", testAdoption},
		{"Sizes", testSizes},
		{"Kinds", testKinds},
		{"Order", testOrder},
		{"EarlyStop", testEarlyStop},
		{"Cancelled", testCancelled},
		{"ManyBlobs", testManyBlobs},
		{"Concurrent", testConcurrent},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			c.run(t, s)
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// Bytes returns size bytes that depend on seed alone: half of them random, half
// of them repeated, so that they compress.
func Bytes(seed uint64, size int) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	b := make([]byte, size)
	rng := rand.NewChaCha8(key)
	if _, err := rng.Read(b[:(size+1)/2]); err != nil {
		panic(err) // a ChaCha8 never fails
	}
	copy(b[(size+1)/2:], b)
	return b
}

// Volume returns the volume ID number n.
func Volume(n int) (v cas.VolumeID) {
	binary.BigEndian.PutUint64(v[:], uint64(n))
	return v
}

// Refs returns the refs of the blobs, in their order.
func Refs(blobs []cas.Blob) []cas.Ref {
	refs := make([]cas.Ref, len(blobs))
	for i, b := range blobs {
		refs[i] = b.Ref()
	}
	return refs
}

func chunk(seed uint64, size int) cas.Blob { return cas.Seal(cas.Chunk, Bytes(seed, size)) }

func only(vs ...cas.VolumeID) cas.Scope { return cas.Scope{Volumes: vs} }

func put(t *testing.T, s cas.Store, v cas.VolumeID, blobs ...cas.Blob) {
	t.Helper()
	if err := s.Put(t.Context(), v, blobs); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func missing(t *testing.T, s cas.Store, v cas.VolumeID, scope cas.Scope, refs ...cas.Ref) []bool {
	t.Helper()
	sizes, err := s.Sizes(t.Context(), v, scope, refs)
	if err != nil {
		t.Fatalf("Sizes: %v", err)
	}
	if len(sizes) != len(refs) {
		t.Fatalf("Sizes: %d answers for %d refs", len(sizes), len(refs))
	}
	got := make([]bool, len(refs))
	for i, size := range sizes {
		got[i] = size == cas.Absent
	}
	return got
}

func want(t *testing.T, s cas.Store, scope cas.Scope, b cas.Blob) {
	t.Helper()
	calls := 0
	err := s.Get(t.Context(), scope, []cas.Ref{b.Ref()}, func(got cas.Blob) error {
		calls++
		if got.Ref() != b.Ref() || !bytes.Equal(got.Plain(), b.Plain()) {
			t.Errorf("Get %v: got %v with other bytes", b.Ref(), got.Ref())
		}
		return nil
	})
	if err != nil || calls != 1 {
		t.Errorf("Get %v: %d calls, %v", b.Ref(), calls, err)
	}
}

func wantNotFound(t *testing.T, s cas.Store, scope cas.Scope, ref cas.Ref) {
	t.Helper()
	err := s.Get(t.Context(), scope, []cas.Ref{ref}, func(cas.Blob) error {
		t.Errorf("Get %v: called", ref)
		return nil
	})
	if !errors.Is(err, cas.ErrNotFound) {
		t.Errorf("Get %v: %v, want ErrNotFound", ref, err)
	}
}

func testPutGet(t *testing.T, s cas.Store) {
	v := Volume(1)
	for i, size := range []int{0, 1, 2, 100, 255, 256, 1023, 1024, 1025, 3 << 10, 64 << 10, cas.MaxSize} {
		b := chunk(uint64(i), size)
		wantNotFound(t, s, cas.Everything(), b.Ref())
		put(t, s, v, b)
		want(t, s, cas.Everything(), b)
		want(t, s, only(v), b)
	}
	put(t, s, v)
	if err := s.Barrier(t.Context()); err != nil {
		t.Errorf("Barrier: %v", err)
	}
	if err := s.Barrier(t.Context()); err != nil {
		t.Errorf("second Barrier: %v", err)
	}
}

func testAsStored(t *testing.T, s cas.Store) {
	for i, level := range []cas.Compression{cas.CompressBulk, cas.CompressFast, cas.CompressMax, cas.CompressOff} {
		raw := cas.Seal(cas.Chunk, bytes.Repeat([]byte(fmt.Sprintf("level %d ", i)), 1000))
		b := cas.NewCodec(level).Compress(raw, nil)
		put(t, s, Volume(1), b)
		err := s.Get(t.Context(), cas.Everything(), []cas.Ref{b.Ref()}, func(got cas.Blob) error {
			if got.Encoding() != b.Encoding() || !bytes.Equal(got.Data(), b.Data()) {
				t.Errorf("level %d: encoding %d with %d bytes came back as encoding %d with %d bytes",
					level, b.Encoding(), len(b.Data()), got.Encoding(), len(got.Data()))
			}
			if got.Size() != raw.Size() || !bytes.Equal(got.Plain(), raw.Plain()) {
				t.Errorf("level %d: other plain bytes", level)
			}
			return nil
		})
		if err != nil {
			t.Errorf("level %d: %v", level, err)
		}
		put(t, s, Volume(1), raw) // the first stays
		want(t, s, cas.Everything(), raw)
	}
}

func testNotKept(t *testing.T, s cas.Store) {
	for i, size := range []int{10, 3 << 10, 64 << 10} {
		buf := Bytes(uint64(i), size)
		b := cas.Seal(cas.Chunk, buf)
		keep := cas.Seal(cas.Chunk, bytes.Clone(buf))
		put(t, s, Volume(1), b)
		clear(buf)
		want(t, s, cas.Everything(), keep)
	}
}

func testRefused(t *testing.T, s cas.Store) {
	good := chunk(1, 100)
	for name, bad := range map[string]cas.Blob{
		"oversized": cas.Seal(cas.Chunk, make([]byte, cas.MaxSize+1)),
		"no kind":   cas.Seal('x', []byte("x")),
		"zero Blob": {},
	} {
		if err := s.Put(t.Context(), Volume(1), []cas.Blob{good, bad}); err == nil {
			t.Errorf("%s: accepted", name)
		}
		wantNotFound(t, s, cas.Everything(), good.Ref())
	}
}

func testIdempotent(t *testing.T, s cas.Store) {
	b := chunk(1, 3<<10)
	put(t, s, Volume(1), b, b)
	put(t, s, Volume(1), b)
	put(t, s, Volume(2), b)
	want(t, s, only(Volume(1)), b)
	want(t, s, only(Volume(2)), b)
	for range 2 {
		if got := missing(t, s, Volume(3), cas.Everything(), b.Ref(), b.Ref()); got[0] || got[1] {
			t.Errorf("Sizes twice in one call: %v", got)
		}
	}
	want(t, s, only(Volume(3)), b)
}

func testKinds(t *testing.T, s cas.Store) {
	kinds := []cas.Kind{cas.Chunk, cas.Page, cas.Node, cas.Snapshot}
	for i, kind := range kinds {
		b := cas.Seal(kind, Bytes(1, 500))
		put(t, s, Volume(1), b)
		for j, other := range kinds {
			o := cas.Ref{Kind: other, ID: b.ID()}
			if got := missing(t, s, Volume(1), cas.Everything(), o)[0]; got != (j > i) {
				t.Errorf("after Put of %v: that %v is absent is %v", kind, other, got)
			}
			if j > i {
				wantNotFound(t, s, only(Volume(1)), o)
			}
		}
		want(t, s, only(Volume(1)), b)
	}
}

func testOrder(t *testing.T, s cas.Store) {
	var blobs []cas.Blob
	for i := range 50 {
		blobs = append(blobs, chunk(uint64(i), 100+i*97))
	}
	put(t, s, Volume(1), blobs...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(blobs), func(i, j int) { blobs[i], blobs[j] = blobs[j], blobs[i] })
	blobs = append(blobs, blobs[0], blobs[0])
	next := 0
	err := s.Get(t.Context(), only(Volume(1)), Refs(blobs), func(b cas.Blob) error {
		if b.Ref() != blobs[next].Ref() || !bytes.Equal(b.Plain(), blobs[next].Plain()) {
			t.Errorf("blob %d is %v, want %v", next, b.Ref(), blobs[next].Ref())
		}
		next++
		return nil
	})
	if err != nil || next != len(blobs) {
		t.Errorf("Get: %d of %d blobs, %v", next, len(blobs), err)
	}
}

func testEarlyStop(t *testing.T, s cas.Store) {
	a, b, absent := chunk(1, 100), chunk(2, 5000), chunk(3, 100)
	put(t, s, Volume(1), a, b)
	stop := errors.New("stop")
	calls := 0
	err := s.Get(t.Context(), cas.Everything(), Refs([]cas.Blob{a, b, a}), func(cas.Blob) error {
		if calls++; calls == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || calls != 2 {
		t.Errorf("stopped by fn: %d calls, %v", calls, err)
	}
	calls = 0
	err = s.Get(t.Context(), cas.Everything(), Refs([]cas.Blob{a, absent, b}), func(cas.Blob) error {
		calls++
		return nil
	})
	if !errors.Is(err, cas.ErrNotFound) || calls != 1 {
		t.Errorf("stopped by an absent blob: %d calls, %v", calls, err)
	}
}

func testCancelled(t *testing.T, s cas.Store) {
	b := chunk(1, 100)
	put(t, s, Volume(1), b)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, Volume(1), []cas.Blob{chunk(2, 100)}); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v", err)
	}
	if _, err := s.Sizes(ctx, Volume(1), cas.Everything(), []cas.Ref{b.Ref()}); !errors.Is(err, context.Canceled) {
		t.Errorf("Sizes: %v", err)
	}
	err := s.Get(ctx, cas.Everything(), []cas.Ref{b.Ref()}, func(cas.Blob) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
	want(t, s, cas.Everything(), b)
}

// testManyBlobs puts, in one call, more than an implementation's batch can hold
// by count and by bytes.
func testManyBlobs(t *testing.T, s cas.Store) {
	var blobs []cas.Blob
	for i := range 8000 {
		size := 16 + i%900
		if i%100 == 0 {
			size = 100 << 10
		}
		blobs = append(blobs, chunk(uint64(i), size))
	}
	put(t, s, Volume(1), blobs...)
	for i, m := range missing(t, s, Volume(2), only(Volume(1)), Refs(blobs)...) {
		if m {
			t.Fatalf("blob %d is missing", i)
		}
	}
	next := 0
	err := s.Get(t.Context(), only(Volume(2)), Refs(blobs), func(b cas.Blob) error {
		if !bytes.Equal(b.Plain(), blobs[next].Plain()) {
			t.Errorf("blob %d has other bytes", next)
		}
		next++
		return nil
	})
	if err != nil || next != len(blobs) {
		t.Errorf("Get: %d of %d blobs, %v", next, len(blobs), err)
	}
}

func testConcurrent(t *testing.T, s cas.Store) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			v := Volume(g)
			for round := range 20 {
				var blobs []cas.Blob
				for i := range 10 { // half of them shared with the other goroutines
					seed := uint64(round*10 + i)
					if i%2 == 0 {
						seed += uint64(g+1) << 32
					}
					blobs = append(blobs, chunk(seed, 200*(i+1)))
				}
				if err := s.Put(t.Context(), v, blobs); err != nil {
					t.Errorf("Put: %v", err)
					return
				}
				if err := s.Barrier(t.Context()); err != nil {
					t.Errorf("Barrier: %v", err)
				}
				for _, b := range blobs {
					want(t, s, only(v), b)
				}
				got, err := s.Sizes(t.Context(), v, only(), Refs(blobs))
				if err != nil || slices.Contains(got, cas.Absent) {
					t.Errorf("Sizes: %v, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}
