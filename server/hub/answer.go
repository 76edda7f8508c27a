package hub

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"dfs/cas"
	"dfs/server/api"
)

// answerHeader is the session's ID and the length of the answer that follows.
const answerHeader = 16 + 4

// answered returns the answer that was given to the commit with the request's key, if there is one.
func (h *Hub) answered(req *api.CommitRequest) (api.CommitAnswer, bool, error) {
	key := answerKey(req.Key)
	value, err := h.meta.get(sliceKey(key, 0))
	if err != nil || value == nil {
		return api.CommitAnswer{}, false, err
	}
	if len(value) < answerHeader {
		return api.CommitAnswer{}, false, fmt.Errorf("metadata %q: ends early", key)
	}
	if !bytes.Equal(value[:len(req.Session)], req.Session[:]) {
		return api.CommitAnswer{}, false, refuse(api.ErrInvalid, "commit: key %v was used by another session", req.Key)
	}
	size := answerHeader + int(binary.BigEndian.Uint32(value[len(req.Session):]))
	if len(value) < size {
		if value, err = h.meta.getSlices(key); err != nil {
			return api.CommitAnswer{}, false, err
		}
	}
	// A commit that was cut short may have left slices after the last.
	if len(value) < size {
		return api.CommitAnswer{}, false, fmt.Errorf("metadata %q: ends early", key)
	}
	answer, err := api.DecodeCommitAnswer(value[answerHeader:size])
	if err != nil {
		return api.CommitAnswer{}, false, fmt.Errorf("metadata %q: %w", key, err)
	}
	return answer, true, nil
}

// answerWrites returns the writes that keep an answer. The last makes it valid: it
// belongs to the commit's transaction, the others before it.
func (h *Hub) answerWrites(req *api.CommitRequest, answer *api.CommitAnswer) (before, core []kv, err error) {
	body, err := answer.Append(nil)
	if err != nil {
		return nil, nil, err
	}
	value := binary.BigEndian.AppendUint32(slices.Clone(req.Session[:]), uint32(len(body)))
	if int64(len(body)) > math.MaxUint32 {
		return nil, nil, refuse(api.ErrTooLarge, "commit: the answer has %d bytes", len(body))
	}
	writes := slicesOf(answerKey(req.Key), append(value, body...))
	return writes[1:], writes[:1], nil
}

// answerDeletes returns the writes that forget answers.
func (h *Hub) answerDeletes(keys []cas.VolumeID) ([]kv, error) {
	var writes []kv
	for _, key := range keys {
		err := h.meta.each(answerKey(key), true, func(k, _ []byte) error {
			writes = append(writes, kv{key: bytes.Clone(k)})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return writes, nil
}
