package openapi

import (
	"fmt"
	"path"
	"reflect"
	"strings"
	"time"

	"dfs/cas"
	"dfs/server/api"
)

// schemas makes the schemas of Go types as encoding/json writes them. Named types become
// components, once each. A type as it is answered and as it is asked for are two: in
// requests no field is required, and none but those is allowed.
type schemas struct {
	components object
	types      map[string]reflect.Type // by the names of their components
	err        error                   // two types have one name
}

func newSchemas() *schemas { return &schemas{components: object{}, types: map[string]reflect.Type{}} }

// of returns the schema of a type in answers.
func (s *schemas) of(t reflect.Type) object { return s.schema(t, false, "") }

// asked returns the schema of a type of requests.
func (s *schemas) asked(t reflect.Type) object { return s.schema(t, true, "") }

// schema returns the schema of a type. The components of requests that are parts of others have
// names that begin with prefix.
func (s *schemas) schema(t reflect.Type, asked bool, prefix string) object {
	if name, leaf := leafOf(t); leaf != nil {
		s.component(name, t, func() object { return leaf })
		return object{"$ref": "#/components/schemas/" + name}
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Pointer:
		return object{"anyOf": []any{s.schema(t.Elem(), asked, prefix), object{"type": "null"}}}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "contentEncoding": "base64"}
		}
		return object{"type": "array", "items": s.schema(t.Elem(), asked, prefix)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.schema(t.Elem(), asked, prefix)}
	case reflect.Struct:
		return s.structure(api.JSONForm(t), asked, prefix)
	}
	return object{} // an interface: anything
}

// structure returns the schema of a struct: a component, if it has a name.
func (s *schemas) structure(t reflect.Type, asked bool, prefix string) object {
	name := prefix + componentName(t)
	if name != prefix {
		s.component(name, t, func() object { return s.fields(t, asked) })
		return object{"$ref": "#/components/schemas/" + name}
	}
	return s.fields(t, asked)
}

// component makes the component of a type, unless it is there.
func (s *schemas) component(name string, t reflect.Type, schema func() object) {
	former, ok := s.types[name]
	if ok && former != t {
		s.err = fmt.Errorf("%v and %v are both named %s", former, t, name)
	}
	if !ok {
		s.types[name] = t // first, which ends a recursion
		s.components[name] = schema()
	}
}

// componentName returns the name of a type without the sign that it is one of JSON, with its
// package if that is not api.
func componentName(t reflect.Type) string {
	name := strings.TrimSuffix(t.Name(), "JSON")
	if name == "" {
		return ""
	}
	name = strings.ToUpper(name[:1]) + name[1:]
	if in := path.Base(t.PkgPath()); in != "api" {
		name = strings.ToUpper(in[:1]) + in[1:] + name
	}
	return name
}

// fields returns the schema of an object with the fields of a struct.
func (s *schemas) fields(t reflect.Type, asked bool) object {
	properties, required := object{}, []any{}
	prefix := ""
	if asked {
		prefix = "Given"
	}
	for _, f := range jsonFields(t) {
		fieldType := f.typ
		if f.optional && fieldType.Kind() == reflect.Pointer {
			fieldType = fieldType.Elem() // it is not null, but left out
		}
		properties[f.name] = s.schema(fieldType, asked, prefix)
		if !f.optional {
			required = append(required, f.name)
		}
	}
	o := object{"type": "object", "properties": properties}
	switch {
	case asked:
		o["additionalProperties"] = false
	case len(required) > 0:
		o["required"] = required
	}
	return o
}

type jsonField struct {
	name     string
	typ      reflect.Type
	optional bool // left out when it is zero
}

// jsonFields lists the fields that encoding/json writes, those of embedded structs in place.
func jsonFields(t reflect.Type) (fields []jsonField) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			fields = append(fields, jsonFields(f.Type)...)
			continue
		case !f.IsExported() || tag == "-":
			continue
		case !tagged || name == "":
			name = f.Name
		}
		fields = append(fields, jsonField{name, f.Type, strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")})
	}
	return fields
}

// leafOf returns name and schema of a type that writes its JSON itself, as a value without parts; nil for others.
func leafOf(t reflect.Type) (name string, leaf object) {
	text := func(pattern, description string) object {
		return object{"type": "string", "pattern": pattern, "description": description}
	}
	switch t {
	case reflect.TypeFor[cas.ID]():
		return "Hash", text("^([0-9a-f]{64})?$", "a SHA-256; empty: none")
	case reflect.TypeFor[cas.VolumeID]():
		return "ID", text("^[0-9a-f]{32}$", "a random ID; zeros: none")
	case reflect.TypeFor[time.Time]():
		return "Time", object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[api.Path]():
		return "Path", object{"$ref": "#/components/schemas/Text"}
	case reflect.TypeFor[api.Text]():
		return "Text", object{
			"description": "a text of any bytes: a string, unless it is not UTF-8",
			"oneOf": []any{object{"type": "string"}, object{
				"type": "object", "required": []any{"bytes"}, "additionalProperties": false,
				"properties": object{"bytes": object{"type": "string", "contentEncoding": "base64"}},
			}},
		}
	case reflect.TypeFor[api.Secret]():
		return "Secret", text("^dfs_(token|join)_[0-9a-f]{64}$", "a token or a join key")
	case reflect.TypeFor[api.Right]():
		return "Right", object{"type": "string", "enum": names(api.RightNone, api.RightRead, api.RightWrite, api.RightAdmin)}
	case reflect.TypeFor[api.State]():
		return "State", object{"type": "string", "enum": names(api.Idle, api.ComputingDiff, api.RequestingMetadata, api.TransferringFiles,
			api.ResolvingConflicts, api.ApplyingChanges, api.Complete, api.Failed, api.Expired, api.Aborted, api.Braked)}
	}
	return "", nil
}

// names lists values by how they are written.
func names[T any](values ...T) (list []any) {
	for _, v := range values {
		list = append(list, fmt.Sprint(v))
	}
	return list
}
