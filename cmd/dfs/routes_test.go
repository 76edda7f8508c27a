package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dfs/server/api"
)

// TestRoutesAreUsed holds every route to a user: client/remote, or else a script in which a
// stranger's client, curl, calls it.
func TestRoutesAreUsed(t *testing.T) {
	client := sources(t, "../../client/remote/*.go", "_test.go")
	scripts := sources(t, "../../testdata/script/curl*.txtar", "")
	names := operations(t)
	if len(names) != api.Ops() {
		t.Fatalf("%d operations, %d names: %v", api.Ops(), len(names), names)
	}
	for op := range api.Op(api.Ops()) {
		route := op.Route()
		byClient := regexp.MustCompile(`\bapi\.` + names[op] + `\b`).MatchString(client)
		if !byClient && !curls(scripts, route.Method, route.Path) {
			t.Errorf("%s: neither client/remote nor a script with curl calls %s %s", names[op], route.Method, route.Path)
		}
	}
}

// sources returns the text of the files that match, but for those with the suffix.
func sources(t *testing.T, pattern, but string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %v", pattern, files, err)
	}
	var all strings.Builder
	for _, file := range files {
		if but != "" && strings.HasSuffix(file, but) {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// operations lists the names of the constants of type api.Op, in order.
func operations(t *testing.T) (names []string) {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), "../../server/api/routes.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range tree.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			if name := spec.(*ast.ValueSpec).Names[0].Name; regexp.MustCompile(`^Op[A-Z]`).MatchString(name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// curls reports whether a line of a script has curl ask for the path with the method.
func curls(scripts, method, path string) bool {
	how := map[string]string{"HEAD": `curl -\w*I`, "DELETE": `curl .*-X DELETE`, "POST": `curl .*-d `}[method]
	if how == "" {
		how = `curl `
	}
	scripts = strings.ReplaceAll(scripts, "${FILE}", "$HUB/api/file/download?")
	return regexp.MustCompile(`(?m)^exec .*` + how + `.*` + regexp.QuoteMeta(path) + `([?"' ]|$)`).MatchString(scripts)
}
