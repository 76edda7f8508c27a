package openapi

import (
	"net/http"
	"reflect"

	"dfs/cas"
	"dfs/server/api"
)

// queryParameter describes a parameter of an operation's query. One that nobody has described
// here has no description.
func queryParameter(s *schemas, op api.Op, name string) object {
	p := object{"name": name, "in": "query", "schema": object{"type": "string"}}
	describe := func(text string, required bool, schema object) {
		p["description"], p["required"], p["schema"] = text, required, schema
	}
	text := object{"type": "string"}
	number := object{"type": "integer", "minimum": 0}
	id := s.of(reflect.TypeFor[cas.ID]())
	random := s.of(reflect.TypeFor[cas.VolumeID]())
	switch {
	case name == "volume":
		describe("a volume's ID, or its name", op != api.OpSessions && op != api.OpEvents, text)
	case name == "name":
		describe("a volume's name", false, text)
	case name == "session":
		describe("a session's ID", op == api.OpUpload || op == api.OpAbortSession, random)
	case name == "path":
		describe("a path in the volume, without a slash at its front", true, text)
	case name == "id" && op == api.OpRevoke:
		describe("a client's ID, or a join key's", true, random)
	case name == "after" && op == api.OpConflicts:
		describe("settled ones only with numbers above this one", false, number)
	case name == "after":
		describe("the ID of the last event that the client has", false, text)
	case name == "id" && op == api.OpConflicts:
		describe("only those whose ID begins with these hex digits", false, text)
	case name == "snapshot" || name == "id":
		describe("a snapshot's ID; without it the head", false, id)
	case name == "replica":
		describe("only what is of this replica", false, random)
	case name == "all":
		describe("settled conflicts too", false, object{"type": "boolean"})
	case name == "from" && op == api.OpConflicts:
		describe("without those of paths before this one", false, text)
	case name == "from":
		describe("the snapshot that is compared; without it the empty tree", false, id)
	case name == "to":
		describe("the snapshot that it is compared with; without it the head", false, id)
	case name == "skip":
		describe("how many of the first to leave out", false, number)
	case name == "wait":
		describe("how long to wait for another head than from, such as 30s; at most a minute", false, text)
	case name == "heard":
		describe("the number of a settlement: one with a higher number ends the wait too, and the Dfs-Settled header tells the latest", false, number)
	case name == "before":
		describe("only snapshots with lower numbers", false, object{"type": "integer", "minimum": 1})
	case name == "limit":
		describe("how many at most", false, object{"type": "integer", "minimum": 1, "maximum": api.MaxSnapshots})
	}
	return p
}

// protocol describes the header that tells the protocol's version.
func protocol() object {
	return object{
		"name": api.HeaderProtocol, "in": "header", "schema": object{"type": "integer", "const": api.ProtocolVersion},
		"description": "the version of the protocol that the client speaks; another is refused",
	}
}

// requestName describes the header that names a request.
func requestName() object {
	return object{
		"name": api.HeaderRequest, "in": "header", "schema": object{"type": "string", "maxLength": api.MaxRequestName},
		"description": "a name of the client's choice, which the answer's header has too",
	}
}

func snapshotHeader(s *schemas) object {
	return object{"description": "the snapshot that the answer is about", "schema": s.of(reflect.TypeFor[cas.ID]())}
}

func settledHeader() object {
	return object{"description": "with heard: the number of the volume's latest settlement", "schema": object{"type": "integer", "minimum": 0}}
}

// conditions describes the headers of a download's request.
func conditions() []any {
	var list []any
	for _, h := range [][2]string{
		{"Range", "the bytes that are wanted, in up to 32 ranges"},
		{"If-Range", "an ETag: the ranges are wanted only of this content, else all of another"},
		{"If-None-Match", "ETags of what the client has"},
		{"If-Match", "ETags of what the client wants"},
	} {
		list = append(list, header(h[0], h[1]))
	}
	return list
}

// header describes a header of a request.
func header(name, does string) object {
	return object{"name": name, "in": "header", "description": does, "schema": object{"type": "string"}}
}

// describeDownload adds what a download answers beside its content.
func describeDownload(s *schemas, op api.Op, done, responses object) {
	text := object{"type": "string"}
	headers := object{
		api.HeaderSnapshot:    snapshotHeader(s),
		"ETag":                object{"description": "names the content, whatever snapshot it is in", "schema": text},
		"Accept-Ranges":       object{"description": "bytes", "schema": text},
		"Content-Disposition": object{"description": "the file's name", "schema": text},
	}
	done["headers"] = headers
	part := object{"description": "the range, or several as multipart/byteranges", "headers": headers}
	if op.Route().Method != http.MethodHead {
		part["content"] = object{api.Bytes: object{}, "multipart/byteranges": object{}}
	}
	responses["206"] = part
	responses["304"] = object{"description": "the client has it"}
	responses["409"] = object{"$ref": "#/components/responses/Refusal"}
	responses["412"] = object{"$ref": "#/components/responses/Refusal"}
	responses["416"] = object{"$ref": "#/components/responses/Refusal"}
}
