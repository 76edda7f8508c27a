package client

import (
	"time"

	"dfs/server/api"
	"dfs/server/events"
)

// note takes in, for the run's bus, that the directory has something else at a path than the base.
// What could not be told, is ignored or cannot be sent is no change; nor is a directory's mtime alone.
func (s *survey) note(f *found) error {
	if s.r.cfg.Events == nil || !s.local || f.unknown || f.local != nil && f.local.Validate() != nil {
		return nil
	}
	local, err := s.r.localValue(f)
	if err != nil || equalValues(local, f.base) {
		return err
	}
	if rides, err := mtimeAlone(f.base, f.local); err != nil || rides {
		return err
	}
	return s.changed.add(f.path, f.base, local)
}

// publish says on the run's bus what was noted, with moves as such, which are known only now.
func (s *survey) publish() error {
	replica, volume, at := s.r.id.Replica, s.r.binding.VolumeID, time.Now().UTC()
	return s.changed.each(func(logged loggedChange) error {
		c, err := fileChange(logged)
		if err != nil {
			return err
		}
		path := api.Path(c.Path)
		var e events.Event
		switch c.Op {
		case Deleted:
			e = events.FileDeleted{
				Replica: replica, Volume: volume, Path: path, Kind: c.Base.Kind.String(), Base: c.Base.Hash(), At: at,
			}
		case Added:
			e = events.FileAdded{
				Replica: replica, Volume: volume, Path: path, Kind: c.New.Kind.String(), Size: c.New.Size, Hash: c.New.Hash(), At: at,
			}
		case Moved:
			e = events.FileMoved{
				Replica: replica, Volume: volume, From: api.Path(c.From), Path: path, Kind: c.New.Kind.String(), Size: c.New.Size,
				Base: c.Base.Hash(), Hash: c.New.Hash(), At: at,
			}
		default:
			e = events.FileModified{
				Replica: replica, Volume: volume, Path: path, Kind: c.New.Kind.String(), Size: c.New.Size,
				Base: c.Base.Hash(), Hash: c.New.Hash(), At: at,
			}
		}
		s.r.cfg.Events.Publish(e)
		return nil
	})
}
