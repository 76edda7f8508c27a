package events_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server/api"
	"dfs/server/events"
)

var update = flag.Bool("update", false, "write the golden forms anew")

func id(n byte) cas.ID           { return cas.ID{31: n} }
func vid(n byte) cas.VolumeID    { return cas.VolumeID{15: n} }
func head(n byte) api.Head       { return api.Head{Snapshot: id(n), Seq: uint64(n), Root: id(n + 1)} }
func moment(sec int64) time.Time { return time.Unix(1e9+sec, 5e8).UTC() }

// samples holds an event of each type, and the odd forms of some.
func samples() []events.Event {
	session, replica, volume, at := vid(1), vid(2), vid(3), moment(0)
	return []events.Event{
		events.Lost{Count: 3},
		events.VolumeCreated{Volume: volume, Name: "näme", At: at},
		events.SessionStarted{Session: session, Replica: replica, Volume: volume, Client: "host", Command: "push", SeenSeq: 1, Head: head(2), Bytes: 3, At: at},
		events.SessionStateChanged{Session: session, Replica: replica, Volume: volume, To: api.Idle, At: at},
		events.SessionStateChanged{Session: session, Replica: replica, Volume: volume, From: api.Idle, To: api.RequestingMetadata, At: at},
		events.SessionExpired{Session: session, Replica: replica, Volume: volume, State: api.TransferringFiles, Active: moment(-300), Parts: 2, At: at},
		events.SessionFailed{Session: session, Replica: replica, Volume: volume, State: api.ApplyingChanges, Parts: 1, At: at},
		events.Brake{Session: session, Replica: replica, Volume: volume, State: api.ComputingDiff, At: at},
		events.BlobsNamed{Session: session, Replica: replica, Volume: volume, Known: 4, New: 5, At: at},
		events.UploadExpected{Session: session, Replica: replica, Volume: volume, Bytes: 9, At: at},
		events.UploadStarted{Session: session, Replica: replica, Volume: volume, At: at},
		events.BlobsReceived{Session: session, Replica: replica, Volume: volume, Blobs: 4, Bytes: 5, TotalBlobs: 6, TotalBytes: 7, At: at},
		events.UploadCompleted{Session: session, Replica: replica, Volume: volume, Blobs: 6, Bytes: 7, Duration: 1.5, At: at},
		events.DownloadCompleted{Volume: volume, Blobs: 8, Bytes: 9, Duration: 0.25, At: at},
		events.ChangesTold{Volume: volume, Changes: 3, Files: 2, At: at},
		events.SnapshotCommitted{Volume: volume, Snapshot: id(2), Seq: 2, Parent: id(1), Replica: replica, Client: "host", Changes: 3, Files: 2, Bytes: 7, At: at},
		events.CommitCompleted{Session: session, Replica: replica, Volume: volume, Former: head(1), Head: head(2), Merged: true, Conflicts: 3, Kept: 4, Duration: 0.5, At: at},
		events.ConflictDetected{Conflict: id(1), Replica: replica, Volume: volume, Path: "a/b", Base: id(2), Ours: id(3), At: at},
		events.ConflictResolved{Conflict: id(1), Replica: replica, Volume: volume, Path: "a/b", Take: "ours", At: at},
		events.ClientRegistered{Client: vid(4), Name: "näme", At: at},
		events.QuotaExceeded{Volume: volume, Of: "bytes", Limit: 5, Wanted: 6, At: at},
		events.ClientQuotaExceeded{Client: vid(4), To: volume, Of: "files", Limit: 5, Wanted: 6, At: at},
		events.ConnectionCut{Peer: "192.0.2.1", For: "memory", Lag: 2.5, At: at},
		events.RequestRefused{Route: "diff", Code: api.ErrBusy.Code, Status: 503, At: at},
		events.RequestRefused{Code: api.ErrUnauthorized.Code, Status: 401, Anonymous: true, Count: 7, At: at},
		events.BlobsVerified{Volume: volume, Snapshot: id(2), Blobs: 3, Bytes: 4, Damaged: 1, At: at},
		events.SnapshotsUnverified{Snapshots: 3, At: at},
		events.BlobDamaged{Volume: volume, Snapshot: id(2), Path: "a/b", Kind: "chunk", Blob: id(5), Code: api.ErrCorrupt.Code, Detail: "has SHA-256 00", At: at},
		events.FileAdded{Replica: replica, Volume: volume, Path: "a/<b>", Kind: "file", Size: 10, Hash: id(1), At: at},
		events.FileAdded{Replica: replica, Volume: volume, Path: "a/\xff", Kind: "directory", Hash: id(1), At: at},
		events.FileModified{Replica: replica, Volume: volume, Path: "a/b", Kind: "file", Size: 10, Base: id(1), Hash: id(2), At: at},
		events.FileDeleted{Replica: replica, Volume: volume, Path: "a/b", Kind: "symlink", Base: id(1), At: at},
		events.FileMoved{Replica: replica, Volume: volume, From: "a/b", Path: "c/d", Kind: "file", Size: 10, Base: id(1), Hash: id(1), At: at},
	}
}

// TestForms holds the JSON forms to the golden ones: others read them.
func TestForms(t *testing.T) {
	var got []byte
	for _, e := range samples() {
		line, err := events.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		got = append(append(got, line...), '\n')
	}
	name := filepath.Join("..", "..", "testdata", "vectors", "events", "events.jsonl")
	if *update {
		if err := os.WriteFile(name, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("differs from the golden forms:\n%s", got)
	}
}

// TestFormsAreWhole reads each form back.
func TestFormsAreWhole(t *testing.T) {
	for _, e := range samples() {
		line, err := events.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		var head struct{ Type string }
		if err := json.Unmarshal(line, &head); err != nil || head.Type != e.Type() {
			t.Errorf("%s: %v", line, err)
		}
		again := reflect.New(reflect.TypeOf(e))
		if err := json.Unmarshal(line, again.Interface()); err != nil || again.Elem().Interface() != e {
			t.Errorf("%s: %+v: %v", line, again.Elem(), err)
		}
	}
}

// TestScopes: what names a volume says that it is about it, and is so for that alone.
func TestScopes(t *testing.T) {
	for _, e := range samples() {
		field := reflect.ValueOf(e).FieldByName("Volume")
		scoped, ok := e.(events.Scoped)
		if ok != field.IsValid() {
			t.Errorf("%T names a volume: %v, is scoped: %v", e, field.IsValid(), ok)
		} else if ok && scoped.About() != field.Interface() {
			t.Errorf("%T is about %v", e, scoped.About())
		}
	}
}

// TestEachTypeHasAForm looks in the source for types of events that samples lacks.
func TestEachTypeHasAForm(t *testing.T) {
	sampled, names := map[string]bool{}, map[string]string{}
	for _, e := range samples() {
		sampled[reflect.TypeOf(e).Name()] = true
		if former := names[e.Type()]; former != "" && former != reflect.TypeOf(e).Name() {
			t.Errorf("%s is the name of two types", e.Type())
		}
		names[e.Type()] = reflect.TypeOf(e).Name()
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Name.Name != "Type" || fn.Recv == nil {
				continue
			}
			found++
			if of := fn.Recv.List[0].Type.(*ast.Ident).Name; !sampled[of] {
				t.Errorf("samples has no %s", of)
			}
		}
	}
	if found != len(sampled) {
		t.Errorf("%d types found, %d sampled", found, len(sampled))
	}
}
