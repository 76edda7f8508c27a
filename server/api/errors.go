package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"dfs/cas"
)

// Code is an error's kind on the wire.
type Code string

// MaxMissing bounds [Error.Missing].
const MaxMissing = 1000

// An Error is what a hub refuses with. It crosses HTTP whole.
type Error struct {
	Code    Code
	Message string    // names the object and what to do; at most 4,096 bytes cross the wire
	Missing []cas.Ref // with ErrIncomplete: at most MaxMissing of the refs that are not there
}

func (e *Error) Error() string { return e.Message }

// Is reports whether target is an *Error with the same code, or the error of
// package cas that the code stands for.
func (e *Error) Is(target error) bool {
	var t *Error
	if errors.As(target, &t) {
		return t.Code == e.Code
	}
	for _, k := range kinds {
		if k.err.Code == e.Code {
			return k.cas != nil && target == k.cas
		}
	}
	return false
}

// The kinds of errors, to be compared with errors.Is.
var (
	ErrInvalid    = &Error{Code: "invalid", Message: "invalid request"}
	ErrNotFound   = &Error{Code: "not_found", Message: "not found"}
	ErrNotFile    = &Error{Code: "not_file", Message: "what is there is no file"}
	ErrExists     = &Error{Code: "exists", Message: "exists already"}
	ErrState      = &Error{Code: "state", Message: "not possible in the session's state"}
	ErrNoSession  = &Error{Code: "no_session", Message: "no such session"}
	ErrIncomplete = &Error{Code: "incomplete", Message: "blobs are missing"}
	ErrMoved      = &Error{Code: "moved", Message: "the conflict or the head is not what it was"}
	ErrRoot       = &Error{Code: "root", Message: "the tree is not what the client expects"}
	ErrTooLarge   = &Error{Code: "too_large", Message: "above a limit"}
	ErrVersion    = &Error{Code: "version", Message: "unknown protocol version"}
	ErrCorrupt    = &Error{Code: "corrupt", Message: "bytes do not match their ID"}
	ErrNoBlob     = &Error{Code: "no_blob", Message: "blob not found"}
	ErrQuota      = &Error{Code: "quota", Message: "above a quota"}
	ErrNoSpace    = &Error{Code: "no_space", Message: "the hub has no space left"}
	ErrPoisoned   = &Error{Code: "poisoned", Message: "the hub's store stopped after an I/O error"}
	ErrBusy       = &Error{Code: "busy", Message: "the hub is busy or stopping; try again"}
	ErrForbidden  = &Error{Code: "forbidden", Message: "not allowed"}
	ErrInternal   = &Error{Code: "internal", Message: "internal error"}

	ErrUnauthorized = &Error{Code: "unauthorized", Message: "no valid token"}
	ErrTooMany      = &Error{Code: "too_many", Message: "too many requests; try again later"}
)

// ErrUnreachable is of a hub behind a network that did not answer, or cut every answer, for as long as its client
// waits. The hub itself says it never.
var ErrUnreachable = errors.New("hub is unreachable")

// kinds maps each code to its HTTP status and, where it has one, its error in package cas.
var kinds = []struct {
	err    *Error
	status int
	cas    error
}{
	{ErrInvalid, http.StatusBadRequest, nil},
	{ErrNotFound, http.StatusNotFound, nil},
	{ErrNotFile, http.StatusConflict, nil},
	{ErrExists, http.StatusConflict, nil},
	{ErrState, http.StatusConflict, nil},
	{ErrNoSession, http.StatusGone, nil},
	{ErrIncomplete, http.StatusUnprocessableEntity, nil},
	{ErrMoved, http.StatusConflict, nil},
	{ErrRoot, http.StatusPreconditionFailed, nil},
	{ErrTooLarge, http.StatusRequestEntityTooLarge, nil},
	{ErrVersion, http.StatusUpgradeRequired, nil},
	{ErrCorrupt, http.StatusUnprocessableEntity, cas.ErrCorrupt},
	{ErrNoBlob, http.StatusNotFound, cas.ErrNotFound},
	{ErrQuota, http.StatusInsufficientStorage, nil},
	{ErrNoSpace, http.StatusInsufficientStorage, cas.ErrNoSpace},
	{ErrPoisoned, http.StatusServiceUnavailable, cas.ErrPoisoned},
	{ErrBusy, http.StatusServiceUnavailable, nil},
	{ErrForbidden, http.StatusForbidden, nil},
	{ErrUnauthorized, http.StatusUnauthorized, nil},
	{ErrTooMany, http.StatusTooManyRequests, nil},
	{ErrInternal, http.StatusInternalServerError, nil},
}

// AsError returns the *Error that err is, wraps or stands for, with err's own
// message: that of the contract of package cas has its kind's code, and the end
// of a context is ErrBusy. What is unknown, or wraps ErrInternal, becomes that and
// keeps its text to itself. A nil err gives nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok {
		return e
	}
	if errors.Is(err, ErrInternal) {
		return ErrInternal
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return &Error{Code: e.Code, Message: err.Error(), Missing: e.Missing}
	}
	for _, k := range kinds {
		if k.cas != nil && errors.Is(err, k.cas) {
			return &Error{Code: k.err.Code, Message: err.Error()}
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &Error{Code: ErrBusy.Code, Message: err.Error()}
	}
	return ErrInternal
}

// Status returns the code's HTTP status; 500 for an unknown one.
func (c Code) Status() int {
	for _, k := range kinds {
		if k.err.Code == c {
			return k.status
		}
	}
	return http.StatusInternalServerError
}

// errorJSON is the JSON form of an Error: the body of every answer that is a refusal.
type errorJSON struct {
	Code    Code      `json:"code"`
	Message string    `json:"message"`
	Missing []refJSON `json:"missing,omitempty"`
}

// MarshalJSON implements [json.Marshaler]: {"code", "message", "missing": [{"kind", "id"}]}. The message is
// blotted: it may name what came in the wrong place.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(errorJSON{e.Code, Blot(e.Message), toRefsJSON(e.Missing[:min(len(e.Missing), MaxMissing)])})
}

// UnmarshalJSON implements [json.Unmarshaler]. Fields that it does not know are left out.
func (e *Error) UnmarshalJSON(data []byte) error {
	var in errorJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*e = Error{Code: in.Code, Message: in.Message, Missing: fromRefsJSON(in.Missing)}
	return nil
}
