package replica

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// heardName is the file of Heard.
const heardName = "heard"

type heard struct {
	Version int    `json:"version"`
	Settled uint64 `json:"settled"`
}

// Heard returns the number of the settlement up to which the base has taken in what was decided about
// the replica's conflicts; 0 is none.
//
// It is written after the base that it tells of, and goes before a base that is dropped (a replica that is
// adopted or bound anew). So it is never above what the base has taken in, but where somebody puts
// an older base alone in place: then what was settled in between conflicts once more, and nothing is
// dropped. Where it is below, as when it is lost or all of .dfs is older, what was settled is told again,
// and counts for a path only if its base is what the conflict began with. The version that was the
// replica's is on the hub's record in any case.
func Heard(root string) (uint64, error) {
	var h heard
	err := load(root, heardName, &h, &h.Version)
	if errors.Is(err, ErrNone) {
		return 0, nil
	}
	return h.Settled, err
}

// SetHeard is told what Heard is to return. It is durable on return.
func SetHeard(root string, settled uint64) error {
	return save(root, heardName, heard{Version: version, Settled: settled})
}

// dropHeard forgets it.
func dropHeard(root string) error {
	err := os.Remove(filepath.Join(root, Dir, heardName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
