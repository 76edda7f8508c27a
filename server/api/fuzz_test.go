package api_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"dfs/server/api"
)

// FuzzMessages checks that every decoder is total and accepts what its encoder
// makes, only: what passes encodes to the same bytes.
func FuzzMessages(f *testing.F) {
	all := codecs()
	for i, c := range all {
		b, err := c.encode(c.value)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), b)
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		c := all[int(which)%len(all)]
		v, err := c.decode(slices.Clone(b))
		if err != nil {
			if !errors.Is(err, api.ErrInvalid) {
				t.Fatalf("%s: %v is not ErrInvalid", c.name, err)
			}
			return
		}
		again, err := c.encode(v)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%s: %x passes, and encodes to %x, %v", c.name, b, again, err)
		}
	})
}

// FuzzFrames checks that what reads as a stream that ended well is what a writer makes of it.
func FuzzFrames(f *testing.F) {
	f.Add(stream(f, nil, []byte("message"), blobs(f)...))
	f.Add(stream(f, api.ErrBusy, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := api.NewFrameReader(bytes.NewReader(b))
		var again bytes.Buffer
		w := api.NewFrameWriter(&again)
		for {
			h, err := r.Next()
			var failed *api.Error
			switch {
			case err == io.EOF:
			case err != nil:
				if e, ok := err.(*api.Error); ok {
					failed = e
					break
				}
				return
			case h.IsMessage():
				msg, err := r.Message(h, nil)
				if err != nil {
					return
				}
				_ = w.Message(msg)
				continue
			default:
				blob, err := r.Blob(h, nil, nil)
				if err != nil {
					return
				}
				_ = w.Blob(blob)
				continue
			}
			_ = w.End(failed)
			if failed == nil && !bytes.Equal(again.Bytes(), b) || !bytes.HasPrefix(b, again.Bytes()) {
				t.Fatalf("%x passes, and is written as %x", b, again.Bytes())
			}
			return
		}
	})
}

// FuzzJSON checks that the JSON decoders are total, and that what passes has a binary form.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"session":"00000000000000000000000000000000","edits":[{"path":{"bytes":"/w=="},"base":"","new":null}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := api.DecodeDiffRequestJSON(b); err == nil {
			if _, err := r.Append(nil); err != nil {
				t.Fatalf("%s passes: %v", b, err)
			}
		} else if !errors.Is(err, api.ErrInvalid) {
			t.Fatal(err)
		}
		if _, err := api.DecodeCommitRequestJSON(b); err != nil && !errors.Is(err, api.ErrInvalid) {
			t.Fatal(err)
		}
		if err := api.DecodeJSON(b, new(api.SettleRequest)); err != nil && !errors.Is(err, api.ErrInvalid) {
			t.Fatal(err)
		}
	})
}
