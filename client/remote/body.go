package remote

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"

	"dfs/cas"
	"dfs/server/api"
)

// A payload is a request's body in pieces, of which those of blobs are not
// copied, but for small bodies. It can be sent any number of times.
type payload struct {
	contentType string
	pieces      net.Buffers
	size        int64
	open        sync.WaitGroup // the readers that the transport has not closed
}

func newPayload(contentType string, pieces ...[]byte) *payload {
	p := &payload{contentType: contentType}
	p.add(pieces...)
	return p
}

func (p *payload) add(pieces ...[]byte) {
	for _, b := range pieces {
		p.pieces = append(p.pieces, b)
		p.size += int64(len(b))
	}
}

// framesPayload is a stream of the message, unless that is nil, and the blobs.
func framesPayload(msg []byte, blobs []cas.Blob) *payload {
	p := newPayload(api.Binary)
	frames := len(blobs)
	if msg != nil {
		head, n := api.AppendMessage(nil, msg)
		p.add(head)
		frames += n
	}
	headers := make([]byte, 0, len(blobs)*api.HeaderSize)
	p.pieces = slices.Grow(p.pieces, 2*len(blobs)+1)
	for _, b := range blobs {
		start := len(headers)
		headers = api.BlobHeader(b).Append(headers)
		p.add(headers[start:], b.Data())
	}
	p.add(api.AppendEnd(nil, frames))
	return p
}

// attach makes p the body of r.
func (p *payload) attach(r *http.Request) {
	r.Header.Set("Content-Type", p.contentType)
	r.ContentLength = p.size
	r.Body = p.reader()
	r.GetBody = func() (io.ReadCloser, error) { return p.reader(), nil }
}

// wait waits until the transport is done with every reader: only then may the
// pieces change.
func (p *payload) wait() { p.open.Wait() }

// small bodies, at most this many bytes, leave in one write with the head of their request.
const small = 16 << 10

func (p *payload) reader() io.ReadCloser {
	if p.size <= small {
		return io.NopCloser(bytes.NewReader(slices.Concat(p.pieces...))) // which the HTTP library knows
	}
	p.open.Add(1)
	return &payloadReader{Buffers: slices.Clone(p.pieces), done: sync.OnceFunc(p.open.Done)}
}

type payloadReader struct {
	net.Buffers
	done func()
}

func (r *payloadReader) Close() error {
	r.done()
	return nil
}
