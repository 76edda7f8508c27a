package events

import (
	"context"

	"dfs/cas"
)

// Scoped is what an event is that is about one volume: it is for those who may read that. An event
// that is not Scoped is for who runs the hub, but [Lost], which is for whom it is about.
type Scoped interface {
	Event
	// About returns the volume.
	About() cas.VolumeID
}

// Confidential is what an event about a volume is that has something in it for who administers the hub alone.
type Confidential interface {
	Scoped
	// Public returns the event for everybody else who may read the volume.
	Public() Event
}

// Each calls fn for each event of s, a [Lost] too, until s or ctx ends, and closes s.
func Each(ctx context.Context, s *Subscription, fn func(Event)) {
	defer s.Close()
	for {
		e, err := s.Next(ctx)
		if err != nil {
			return
		}
		fn(e)
	}
}

// About implements [Scoped].
func (e VolumeCreated) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e SessionStarted) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e SessionStateChanged) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e SessionExpired) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e SessionFailed) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e Brake) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e BlobsReceived) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e BlobsNamed) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e UploadExpected) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e UploadStarted) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e UploadCompleted) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e DownloadCompleted) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e ChangesTold) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e SnapshotCommitted) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e CommitCompleted) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e ConflictDetected) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e ConflictResolved) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e QuotaExceeded) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e BlobsVerified) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e BlobDamaged) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e FileAdded) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e FileModified) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e FileDeleted) About() cas.VolumeID { return e.Volume }

// About implements [Scoped].
func (e FileMoved) About() cas.VolumeID { return e.Volume }
