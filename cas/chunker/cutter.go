package chunker

import rabin "github.com/restic/chunker"

// The parameters of profile 1 that only boundaries depend on.
const (
	polynomial = rabin.Pol(0x3b08c1fa47da97)
	splitBits  = 14
)

// cutter finds where a chunk ends. The zero cutter is ready.
type cutter struct {
	rabin *rabin.BaseChunker
	clean bool // rabin stands at the start of a chunk
}

// begin makes the cutter stand at the start of a chunk.
func (c *cutter) begin() {
	if c.rabin != nil && !c.clean {
		c.rabin = nil
	}
}

// end returns where the chunk that begins at data[0] ends, or -1 when more data
// is needed; last says that there is none. Of a chunk for which it returned -1
// it must be called again, with more data and scanned bytes of it as seen
// before, or begin must be.
func (c *cutter) end(data []byte, scanned int, last bool) int {
	if last && len(data) <= Min {
		c.begin()
		return len(data)
	}
	if c.rabin == nil {
		c.rabin = rabin.NewBase(polynomial, rabin.WithBaseBoundaries(Min, Max), rabin.WithBaseAverageBits(splitBits))
	}
	c.clean = false
	if n := c.rabin.NextSplitPoint(data[scanned:]); n >= 0 {
		c.clean = true // rabin resets itself at a boundary
		return scanned + n
	}
	if last {
		c.begin()
		return len(data)
	}
	return -1
}
