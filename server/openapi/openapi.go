// Package openapi describes the protocol as an OpenAPI 3.1 document, made of the table of
// routes in package api and of the Go types whose JSON crosses the wire.
package openapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"dfs/server/api"
)

// object is an object of the document.
type object = map[string]any

// Document returns the document as JSON, the same bytes each time.
func Document() ([]byte, error) {
	s := newSchemas()
	paths := object{}
	for op := range api.Op(api.Ops()) {
		route := op.Route()
		path, ok := paths[route.Path].(object)
		if !ok {
			path = object{}
			paths[route.Path] = path
		}
		path[strings.ToLower(route.Method)] = operation(s, op)
	}
	refusal := s.of(reflect.TypeFor[api.Error]())
	s.of(reflect.TypeFor[api.Text]()) // of which a path is one
	if s.err != nil {
		return nil, fmt.Errorf("openapi: %w", s.err)
	}
	document, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{
			"title":       "dfs hub",
			"version":     fmt.Sprint(api.ProtocolVersion),
			"description": about,
		},
		"paths": paths,
		"components": object{
			"schemas":    s.components,
			"parameters": object{"Protocol": protocol(), "Request": requestName()},
			"responses": object{"Refusal": object{
				"description": refusals(),
				"content":     object{api.JSON: object{"schema": refusal}},
			}},
			"securitySchemes": object{"token": object{
				"type": "http", "scheme": "bearer", "description": "a token that the hub gave at registration",
			}},
		},
	}, "", " ")
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	return append(document, '\n'), nil
}

const about = "The protocol between a dfs hub and its clients. Requests are strict: unknown parameters and fields are refused; a field " +
	"that is left out is zero. Answers may get further fields. Bodies of the type " + api.Binary + " are streams of frames, which the package " +
	"comments of dfs/server/api specify. A hub that is open on the loopback needs no token."

// operation describes one operation.
func operation(s *schemas, op api.Op) object {
	route := op.Route()
	parameters := []any{object{"$ref": "#/components/parameters/Protocol"}, object{"$ref": "#/components/parameters/Request"}}
	for _, name := range route.Query {
		parameters = append(parameters, queryParameter(s, op, name))
	}
	asks, answers := op.Forms()
	done := object{"description": "done"}
	if route.Method != http.MethodHead {
		done["content"] = content(route.Gives, answers, s.of)
	}
	responses := object{"200": done, "default": object{"$ref": "#/components/responses/Refusal"}}
	switch op {
	case api.OpChanges:
		done["headers"] = object{api.HeaderSnapshot: snapshotHeader(s), api.HeaderSettled: settledHeader()}
	case api.OpDownload, api.OpStat:
		describeDownload(s, op, done, responses)
		parameters = append(parameters, conditions()...)
	case api.OpEvents:
		parameters = append(parameters, header("Last-Event-ID", "as the parameter after, which it goes before"))
	}
	o := object{
		"operationId": camel(route.Name),
		"summary":     route.Does,
		"parameters":  parameters,
		"responses":   responses,
		"security":    []any{object{"token": []any{}}},
		"x-dfs-needs": needs[route.Needs],
	}
	if route.Needs == api.NeedsNothing {
		o["security"] = []any{}
	}
	if route.Takes != nil {
		o["requestBody"] = object{"required": true, "content": content(route.Takes, asks, s.asked)}
	}
	return o
}

// needs says what a route needs of its caller.
var needs = map[api.Need]string{
	api.NeedsNothing: "nothing", api.NeedsToken: "any token", api.NeedsRead: "read", api.NeedsWrite: "write", api.NeedsAdmin: "admin",
}

// content describes a body of the types, of which JSON has the form.
func content(types []string, form reflect.Type, schema func(reflect.Type) object) object {
	c := object{}
	for _, t := range types {
		media := object{}
		if t == api.JSON && form != nil {
			media["schema"] = schema(form)
		}
		c[t] = media
	}
	return c
}

// camel makes an identifier of an operation's name.
func camel(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == '-' })
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

// refusals describes the answers that are refusals.
func refusals() string {
	var list []string
	for _, r := range api.Refusals() {
		list = append(list, fmt.Sprintf("%s (%d)", r.Code, r.Status))
	}
	return "a refusal, whose status follows from its code: " + strings.Join(list, ", ")
}
