package hub

import (
	"testing"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
)

// TestUntruePageOfBefore: a volume takes over no page that is not true, though another has it from a hub that did not look.
func TestUntruePageOfBefore(t *testing.T) {
	t.Parallel()
	var mem cas.Mem
	h := openTest(t, t.TempDir(), &mem, Options{})
	before, v := randomID(), newTestVolume(t, h)
	if _, err := h.CreateVolume(t.Context(), "before", before); err != nil {
		t.Fatal(err)
	}
	m, blobs := pages(t, "the content")
	root, err := manifest.DecodePage(blobs[len(blobs)-1].Plain())
	if err != nil {
		t.Fatal(err)
	}
	root.Children[1].Bytes += 7
	raw, err := root.Encode()
	if err != nil {
		t.Fatal(err)
	}
	untrue := cas.Seal(cas.Page, raw)
	m.Pages, m.Size = untrue.ID(), m.Size+7
	if err := mem.Put(t.Context(), before, append(blobs, untrue)); err != nil {
		t.Fatal(err)
	}
	_, err = newClient(h, v).commit(t.Context(), edits{"f": m})
	wantError(t, err, api.ErrInvalid)
	m.Size--
	_, err = newClient(h, before).commit(t.Context(), edits{"f": m})
	wantError(t, err, api.ErrInvalid)
	mustCheck(t, h, v)
}
