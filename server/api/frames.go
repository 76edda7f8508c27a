// # Frames
//
// A body of content type application/x-dfs is a stream of frames. A frame is a
// header of 42 bytes and its data; numbers are big-endian:
//
//	offset  size
//	     0     1  kind: c chunk, p page, n node, s snapshot, m message, e end
//	     1     1  encoding of the data: 0 raw, 1 S2, 2 Zstandard
//	     2     4  plain size: bytes of the decoded data, at most 1 MiB
//	     6     4  data size: bytes that follow the header
//	    10    32  SHA-256 of the decoded data
//	    42        data
//
// The data size equals the plain size when the encoding is raw and is below it
// otherwise. Messages and ends are raw. A message longer than 1 MiB is cut into
// frames that are full but for the last. The stream ends with one end frame,
// whose data is
//
//	end = u8 0, u frames before this one | u8 1, s code, s message, refs missing
//
// so an answer whose status was sent before it went wrong still tells the error,
// and a stream without its end frame was cut. Nothing follows the end.
//
// The stream of the one chunk "hi":
//
//	63 00 00000002 00000002 8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4 6869
//	65 00 00000002 00000002 b413f47d13ee2fe6c845b2ee141af81de858df4ec549a58b7970bb96645bc8d2 0001
//
// What the bodies hold:
//
//	diff, blobs, nodes requests and diff, commit answers: one message
//	commit request: one message, then the blobs
//	upload request, blobs and nodes answers: blobs
//	changes answer: frames that are each one message of changes
package api

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"dfs/cas"
)

// HeaderSize is the bytes of a frame's header.
const HeaderSize = 42

// The kinds of frames that are no blobs.
const (
	messageKind cas.Kind = 'm'
	endKind     cas.Kind = 'e'
)

// A Header describes the frame that it begins.
type Header struct {
	Ref      cas.Ref      // of a blob; other frames have kinds of their own
	Encoding cas.Encoding // of the data
	Plain    int          // bytes of the decoded data
	Size     int          // bytes of the data
}

// BlobHeader returns the header of the frame that carries b, whose data is b.Data().
func BlobHeader(b cas.Blob) Header {
	return Header{Ref: b.Ref(), Encoding: b.Encoding(), Plain: b.Size(), Size: len(b.Data())}
}

// Append appends the header's 42 bytes to dst.
func (h Header) Append(dst []byte) []byte {
	dst = append(dst, byte(h.Ref.Kind), byte(h.Encoding))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.Plain))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.Size))
	return append(dst, h.Ref.ID[:]...)
}

// IsMessage reports whether the frame is (a piece of) a message and not a blob.
func (h Header) IsMessage() bool { return h.Ref.Kind == messageKind }

// parseHeader reads a header and checks that its sizes are within bounds.
func parseHeader(b *[HeaderSize]byte) (Header, error) {
	h := Header{Ref: cas.Ref{Kind: cas.Kind(b[0]), ID: cas.ID(b[10:])}, Encoding: cas.Encoding(b[1])}
	plain, size := binary.BigEndian.Uint32(b[2:]), binary.BigEndian.Uint32(b[6:])
	h.Plain, h.Size = int(plain), int(size)
	blob := h.Ref.Kind.Valid()
	switch {
	case !blob && h.Ref.Kind != messageKind && h.Ref.Kind != endKind:
		return h, damaged("frame of unknown %v", h.Ref.Kind)
	case plain > cas.MaxSize:
		return h, damaged("frame of %d bytes, above %d", plain, cas.MaxSize)
	case h.Encoding > cas.Zstd || h.Encoding != cas.Raw && !blob:
		return h, damaged("frame of %v with encoding %d", h.Ref.Kind, h.Encoding)
	case h.Encoding == cas.Raw && size != plain, h.Encoding != cas.Raw && size >= plain:
		return h, damaged("frame of %d bytes holds %d, encoding %d", size, plain, h.Encoding)
	}
	return h, nil
}

// A DamageError says that a stream of frames is not one: its bytes changed on
// the way, or its sender does not speak this protocol.
type DamageError struct {
	Kind   *Error // ErrCorrupt when a frame does not match its SHA-256, else ErrInvalid
	Detail string
}

func (e *DamageError) Error() string { return "frames: " + e.Detail }

// Unwrap returns the kind.
func (e *DamageError) Unwrap() error { return e.Kind }

func damaged(format string, args ...any) error {
	return &DamageError{ErrInvalid, fmt.Sprintf(format, args...)}
}

func appendFrame(dst []byte, kind cas.Kind, data []byte) []byte {
	h := Header{Ref: cas.Ref{Kind: kind, ID: cas.Sum(data)}, Plain: len(data), Size: len(data)}
	return append(h.Append(dst), data...)
}

// AppendMessage appends the frames of a message to dst and returns how many they are.
func AppendMessage(dst, msg []byte) ([]byte, int) {
	n := 1
	for ; len(msg) > cas.MaxSize; n++ {
		dst = appendFrame(dst, messageKind, msg[:cas.MaxSize])
		msg = msg[cas.MaxSize:]
	}
	return appendFrame(dst, messageKind, msg), n
}

// AppendEnd appends the end frame of a stream of so many frames that went well.
func AppendEnd(dst []byte, frames int) []byte {
	return appendFrame(dst, endKind, binary.AppendUvarint([]byte{0}, uint64(frames)))
}

// AppendFailure appends the end frame of a stream that ends with an error, whose message it blots.
func AppendFailure(dst []byte, e *Error) []byte {
	message := Blot(e.Message)
	data := appendBytes([]byte{1}, e.Code[:min(len(e.Code), maxText)])
	data = appendBytes(data, message[:min(len(message), maxText)])
	return appendFrame(dst, endKind, appendRefs(data, e.Missing[:min(len(e.Missing), MaxMissing)]))
}

// AppendStream appends the whole stream of one message to dst.
func AppendStream(dst, msg []byte) []byte {
	dst, n := AppendMessage(dst, msg)
	return AppendEnd(dst, n)
}

// decodeEnd returns nil for a stream of so many frames that went well.
func decodeEnd(data []byte, frames int) error {
	d := &decoder{buf: data}
	var failed error
	if d.flags(1) == 1 {
		failed = &Error{Code: Code(d.bytes(maxText)), Message: string(d.bytes(maxText)), Missing: d.refs()}
	} else if n := d.uvarint(); d.err == nil && n != uint64(frames) {
		d.fail("a stream of %d frames says %d", frames, n)
	}
	if err := d.end("end"); err != nil {
		return damaged("%v", err)
	}
	return failed
}

// A FrameWriter writes a stream of frames.
type FrameWriter struct {
	w   io.Writer
	n   int
	buf []byte
}

// NewFrameWriter returns a writer to w, which should be buffered: headers are
// written apart from their data.
func NewFrameWriter(w io.Writer) *FrameWriter { return &FrameWriter{w: w} }

// Frames returns how many frames were written.
func (w *FrameWriter) Frames() int { return w.n }

// Blob writes the frame of b.
func (w *FrameWriter) Blob(b cas.Blob) error {
	w.buf = BlobHeader(b).Append(w.buf[:0])
	w.n++
	if _, err := w.w.Write(w.buf); err != nil {
		return err
	}
	_, err := w.w.Write(b.Data())
	return err
}

// Message writes the frames of a message.
func (w *FrameWriter) Message(msg []byte) error {
	var n int
	w.buf, n = AppendMessage(w.buf[:0], msg)
	w.n += n
	_, err := w.w.Write(w.buf)
	return err
}

// End writes the end frame: that of a failure when failed is not nil.
func (w *FrameWriter) End(failed *Error) error {
	if failed != nil {
		w.buf = AppendFailure(w.buf[:0], failed)
	} else {
		w.buf = AppendEnd(w.buf[:0], w.n)
	}
	_, err := w.w.Write(w.buf)
	return err
}

// A FrameReader reads a stream of frames: [FrameReader.Next], then the data by
// Blob or Message, until Next returns [io.EOF].
type FrameReader struct {
	r    io.Reader
	n    int
	head [HeaderSize]byte
}

// NewFrameReader returns a reader of r, which should be buffered or have large reads made cheap.
func NewFrameReader(r io.Reader) *FrameReader { return &FrameReader{r: r} }

// Next reads the next frame's header. After the end frame, which must be the
// last, it returns io.EOF, or the *Error that the end frame carries. Other errors
// are a *DamageError, io.ErrUnexpectedEOF for a stream that was cut, or the reader's.
func (f *FrameReader) Next() (Header, error) {
	if err := f.full(f.head[:]); err != nil {
		return Header{}, err
	}
	h, err := parseHeader(&f.head)
	if err != nil {
		return h, err
	}
	if h.Ref.Kind != endKind {
		f.n++
		return h, nil
	}
	data := make([]byte, h.Size)
	if err := f.read(h, data); err != nil {
		return h, err
	}
	if err := decodeEnd(data, f.n); err != nil {
		return h, err
	}
	switch n, err := io.ReadFull(f.r, f.head[:1]); {
	case n > 0:
		return h, damaged("bytes after the end frame")
	case err != io.EOF:
		return h, err
	}
	return h, io.EOF
}

// Blob reads the data of the blob whose header Next returned, verifies it and
// returns the blob, which uses buf and scratch where those have the capacity
// (h.Size and, unless raw, h.Plain). Errors are *cas.CorruptError or the reader's.
func (f *FrameReader) Blob(h Header, buf, scratch []byte) (cas.Blob, error) {
	if cap(buf) < h.Size {
		buf = make([]byte, h.Size)
	}
	buf = buf[:h.Size]
	if err := f.full(buf); err != nil {
		return cas.Blob{}, err
	}
	return cas.Check(h.Ref, h.Encoding, h.Plain, buf, scratch)
}

// Message appends the data of the message frame whose header Next returned to dst.
func (f *FrameReader) Message(h Header, dst []byte) ([]byte, error) {
	start := len(dst)
	dst = append(dst, make([]byte, h.Size)...)
	return dst, f.read(h, dst[start:])
}

func (f *FrameReader) read(h Header, data []byte) error {
	if err := f.full(data); err != nil {
		return err
	}
	if cas.Sum(data) != h.Ref.ID {
		return &DamageError{ErrCorrupt, "a message does not match its SHA-256"}
	}
	return nil
}

func (f *FrameReader) full(b []byte) error {
	_, err := io.ReadFull(f.r, b)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ReadMessage reads the message of at most max bytes at the front of a stream
// (ErrTooLarge). It returns the header of the blob that follows it, or io.EOF at
// the stream's end.
func ReadMessage(f *FrameReader, max int64) (msg []byte, next Header, err error) {
	const none = -1
	for last := none; ; last = next.Size {
		next, err = f.Next()
		if err != nil || !next.IsMessage() {
			if (err == nil || err == io.EOF) && last == none {
				err = damaged("stream has no message")
			}
			return msg, next, err
		}
		if last != none && (last < cas.MaxSize || next.Size == 0) {
			return nil, next, damaged("message in needless pieces")
		}
		if int64(len(msg)+next.Size) > max {
			return nil, next, &Error{Code: ErrTooLarge.Code, Message: fmt.Sprintf("message is above %d bytes", max)}
		}
		if msg, err = f.Message(next, msg); err != nil {
			return nil, next, err
		}
	}
}
