package hub

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
)

// namedConflicts returns the conflicts of a volume with an ID that begins with so many hex digits.
func (h *Hub) namedConflicts(v cas.VolumeID, digits string) (names []conflictName, err error) {
	whole, err := hex.DecodeString(digits[:len(digits)&^1])
	if err != nil || len(whole) > len(cas.ID{}) || strings.Trim(digits, "0123456789abcdef") != "" {
		return nil, refuse(api.ErrInvalid, "conflicts: %.80q does not begin an ID", digits)
	}
	err = h.meta.each(namedKey(v, whole), false, func(key, value []byte) error {
		name, err := parseNamed(key, value)
		if err == nil && strings.HasPrefix(name.id.String(), digits) {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// nameConflicts makes the keys of IDs in a repository of a version that had none. They are made in the order of
// the conflicts, so where the last has its key all have.
func (h *Hub) nameConflicts() error {
	for _, v := range h.volumes {
		last, err := h.lastConflict(v.id)
		if err != nil {
			return err
		}
		if last.path == "" {
			continue
		}
		known, err := h.meta.get(namedKey(v.id, last.id[:]))
		if err == nil && known == nil {
			err = h.nameAll(v.id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lastConflict returns the last of a volume's conflicts in the order of their keys; one without a path where there is none.
func (h *Hub) lastConflict(v cas.VolumeID) (last conflictName, err error) {
	all := conflictsKey(v)
	end := slices.Concat(all, bytes.Repeat([]byte{0xff}, manifest.MaxName+1))
	err = h.meta.backwards(end, len(all), func(key, _ []byte) (more bool, err error) {
		last, err = parseConflictKey(key)
		return false, err
	})
	return last, err
}

func (h *Hub) nameAll(v cas.VolumeID) error {
	var writes []kv
	err := h.meta.each(conflictsKey(v), true, func(key, _ []byte) error {
		name, err := parseConflictKey(key)
		if err != nil {
			return err
		}
		if len(writes) == txnEntries {
			err, writes = h.meta.write(writes...), nil
		}
		writes = append(writes, kv{namedKey(v, name.id[:]), namedValue(name)})
		return err
	})
	if err != nil {
		return err
	}
	return h.meta.writeBatches(writes)
}
