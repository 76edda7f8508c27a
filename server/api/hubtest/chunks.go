package hubtest

import (
	"testing"

	"dfs/cas"
	"dfs/server/api"
)

// maxChunk is the most bytes that a chunk may have.
const maxChunk = 256 << 10

// testChunkBounds: a chunk has 1 to 262,144 bytes.
func testChunkBounds(t *testing.T, f *fixture) {
	session := f.replica().start(t, random()).Session
	for _, size := range []int{0, maxChunk + 1, 300_000, cas.MaxSize} {
		b := cas.NewCodec(cas.CompressBulk).Compress(cas.Seal(cas.Chunk, make([]byte, size)), nil)
		want(t, f.Upload(f.ctx, session, []cas.Blob{b}), api.ErrInvalid)
		_, err := f.Commit(f.ctx, api.CommitRequest{Session: session, Key: random(), Blobs: []cas.Blob{b}})
		want(t, err, api.ErrInvalid)
		answer, err := f.Diff(f.ctx, api.DiffRequest{Session: session, Ask: []cas.Ref{b.Ref()}})
		must(t, err)
		equal(t, "missing", answer.Missing, []bool{true})
	}
	must(t, f.Upload(f.ctx, session, []cas.Blob{cas.Seal(cas.Chunk, make([]byte, maxChunk)), cas.Seal(cas.Chunk, []byte{1})}))
}
