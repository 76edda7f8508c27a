package client

import (
	"time"

	"dfs/manifest"
	"dfs/server/api"
	"dfs/server/events"
)

// publish says on the run's bus that the directory has something else at a path than the base.
// What could not be told, is ignored or cannot be sent is no change; nor is a directory's mtime alone.
func (s *survey) publish(f *found) error {
	bus := s.r.cfg.Events
	if bus == nil || !s.local || f.unknown || f.local != nil && f.local.Validate() != nil {
		return nil
	}
	base, err := decode(f.base)
	if err != nil || manifest.Equal(base, f.local) {
		return err
	}
	if rides, err := mtimeAlone(f.base, f.local); err != nil || rides {
		return err
	}
	replica, volume, path, at := s.r.id.Replica, s.r.binding.VolumeID, api.Path(f.path), time.Now().UTC()
	switch now := f.local; {
	case now == nil:
		bus.Publish(events.FileDeleted{
			Replica: replica, Volume: volume, Path: path, Kind: base.Kind.String(), Base: base.Hash(), At: at,
		})
	case base == nil:
		bus.Publish(events.FileAdded{
			Replica: replica, Volume: volume, Path: path, Kind: now.Kind.String(), Size: now.Size, Hash: now.Hash(), At: at,
		})
	default:
		bus.Publish(events.FileModified{
			Replica: replica, Volume: volume, Path: path, Kind: now.Kind.String(), Size: now.Size,
			Base: base.Hash(), Hash: now.Hash(), At: at,
		})
	}
	return nil
}
