package cas

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Compression says how hard a sender tries to shrink blobs.
type Compression byte

// The levels.
const (
	CompressFast Compression = iota // Zstandard's fastest level for the first 32 MiB, then S2
	CompressMax                     // Zstandard
	CompressOff
	CompressBulk // S2
)

// denseBytes is up to how many plain bytes the fast codec takes the time to compress densely:
// it costs 0.1 s, which a large transfer would pay in proportion.
const denseBytes = 32 << 20

// A Codec compresses blobs. It is safe for concurrent use.
type Codec struct {
	level Compression
	zstd  *zstd.Encoder
	dense atomic.Int64 // plain bytes that may still be compressed densely
}

// NewCodec returns a codec of the level.
func NewCodec(level Compression) *Codec {
	c := &Codec{level: level}
	effort := zstd.SpeedDefault
	switch level {
	case CompressFast:
		effort = zstd.SpeedFastest
		c.dense.Store(denseBytes)
	case CompressMax:
		c.dense.Store(math.MaxInt64)
	case CompressOff, CompressBulk:
		return c
	}
	// The options are constant and valid, so the error is always nil.
	c.zstd, _ = zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithWindowSize(MaxSize), zstd.WithEncoderLevel(effort))
	return c
}

// Compress returns b encoded by the codec's level where its bytes promise to
// shrink by a tenth and do, else b itself. It appends to dst[:0] when that has
// the capacity. Neither b's ID nor its plain bytes change.
func (c *Codec) Compress(b Blob, dst []byte) Blob {
	if c.level == CompressOff || b.enc != Raw || !promising(b.plain) {
		return b
	}
	var out []byte
	if c.dense.Add(-int64(len(b.plain))) >= 0 {
		out = c.zstd.EncodeAll(b.plain, dst[:0])
		b.enc = Zstd
	} else {
		out = s2.Encode(dst[:cap(dst)], b.plain)
		b.enc = S2
	}
	if len(out) > len(b.plain)-len(b.plain)/10 {
		b.enc = Raw
		return b
	}
	b.data = out
	return b
}

// CompressAll replaces each of blobs by what Compress makes of it. Their encoded
// bytes lie one after the other in dst's capacity, as long as a blob's plain bytes
// and a sixth more fit into what is left of it, then in new memory.
func (c *Codec) CompressAll(blobs []Blob, dst []byte) {
	dst = dst[:cap(dst)]
	for i, b := range blobs {
		blobs[i] = c.Compress(b, dst)
		if blobs[i].enc != b.enc {
			dst = dst[min(len(dst), len(blobs[i].data)):]
		}
	}
}

// promising estimates from a histogram of up to 1 KiB of b, in four samples,
// whether compression would save a tenth or more. Its measure is the collision
// count Σ n(n-1), whose mean for m random bytes is m(m-1)/256: text, code and
// tables lie far above, compressed and encrypted bytes at it.
func promising(b []byte) bool {
	if len(b) < 64 {
		return false
	}
	var counts [256]uint16
	const sample = 256
	total := 0
	if len(b) <= 4*sample {
		for _, c := range b {
			counts[c]++
		}
		total = len(b)
	} else {
		step := (len(b) - sample) / 3
		for i := range 4 {
			for _, c := range b[i*step : i*step+sample] {
				counts[c]++
			}
		}
		total = 4 * sample
	}
	collisions := 0
	for _, n := range counts {
		collisions += int(n) * (int(n) - 1)
	}
	return collisions*256 > total*(total-1)*3/2
}

// decode returns the size plain bytes of data, in scratch where that is large
// enough. Compressed data longer than its plain bytes is refused.
func decode(enc Encoding, size int, data, scratch []byte) ([]byte, error) {
	if enc != Raw && len(data) > size {
		return nil, fmt.Errorf("has %d bytes for a plain size of %d", len(data), size)
	}
	switch enc {
	case Raw:
		if len(data) != size {
			return nil, fmt.Errorf("has %d bytes, not %d", len(data), size)
		}
		return data, nil
	case S2:
		n, err := s2.DecodedLen(data)
		if err != nil {
			return nil, err
		}
		if n != size {
			return nil, fmt.Errorf("s2 holds %d bytes, not %d", n, size)
		}
		return s2.Decode(scratch[:cap(scratch)], data)
	case Zstd:
		return decodeZstd(size, data, scratch)
	}
	return nil, fmt.Errorf("unknown encoding %d", enc)
}

// zstdDecoder is safe for concurrent use. It keeps one decoder for each CPU, of
// some 100 KiB when output is decoded in place as decodeZstd does.
var zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
	// The options are constant and valid, so the error is always nil.
	d, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(MaxSize), zstd.WithDecoderMaxWindow(MaxSize), zstd.WithDecodeAllCapLimit(true))
	return d
})

// decodeZstd decodes exactly size bytes. A frame that claims more is refused at
// once, one that holds more after the block (≤ 128 KiB) that goes beyond size.
func decodeZstd(size int, data, scratch []byte) ([]byte, error) {
	if cap(scratch) < size {
		scratch = make([]byte, size)
	}
	out, err := zstdDecoder().DecodeAll(data, scratch[:0:size])
	if err != nil {
		return nil, err
	}
	if len(out) != size {
		return nil, fmt.Errorf("zstd holds %d bytes, not %d", len(out), size)
	}
	return out, nil
}
