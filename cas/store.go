package cas

import "context"

// Scope says on behalf of which volumes a store is read.
type Scope struct {
	All     bool       // every volume of the store
	Volumes []VolumeID // else these
}

// Everything is the scope of a caller that may read all volumes.
func Everything() Scope { return Scope{All: true} }

// Absent is what [Store.Sizes] says of a blob that is not there.
const Absent = -1

// A Store keeps blobs and knows which volumes hold them. A blob is
// visible to a scope when one of the scope's volumes holds it. Implementations
// are safe for concurrent use; castest is their contract as a test.
type Store interface {
	// Put stores the blobs and makes them held by volume v. The bytes of a blob
	// that v holds already are not stored again. Those of any other are, so that neither
	// the time of a Put nor the room that it takes tells what other volumes hold: a
	// caller who may know asks Sizes first. When Put returns, the
	// blobs are visible and survive a crash of the process; they survive a
	// power cut once a later Barrier returned. Blobs of one call may be
	// visible one by one. The store does not keep the blobs' bytes beyond the call.
	// Errors: ErrNoSpace, or a blob that is above MaxSize or of no kind
	// (nothing was stored); ErrPoisoned.
	Put(ctx context.Context, v VolumeID, blobs []Blob) error

	// Sizes returns, for each ref, the number of the blob's plain bytes, or Absent
	// when it is absent from scope. A ref that is visible but not yet held by v becomes held by v,
	// as if it had been Put; one whose bytes are seen to be damaged then counts as absent. v's own blobs
	// always count as visible. It is as fast as a look whether the blobs are there, and reads no
	// content that v holds. Errors: *CorruptError when the size of what v holds cannot be read; when refs are to become held,
	// ErrNoSpace, ErrPoisoned.
	Sizes(ctx context.Context, v VolumeID, scope Scope, refs []Ref) ([]int, error)

	// Get calls fn for each ref in the order given, with the blob verified
	// against its ID, in the encoding in which a volume of scope put it or saw it when it became
	// held: so the encoding tells nothing of other volumes. The blob is valid only until fn returns. It stops at the
	// first error. Errors: ErrNotFound when a ref is not visible to scope,
	// *CorruptError when stored bytes do not match, what fn returned.
	Get(ctx context.Context, scope Scope, refs []Ref, fn func(Blob) error) error

	// Barrier makes durable against power loss everything whose Put or Sizes
	// returned before the call. After an error the store is poisoned.
	Barrier(ctx context.Context) error

	// Close releases the store. Calls that are under way must have returned.
	Close() error
}
