package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// allowed says for each package what it may import besides the standard
// library: packages of this module by their path in it, and modules of others,
// whole. It is the statement of the layers, so a package must not be added to
// it, nor a row changed, only to make a build pass.
var allowed = map[string]string{
	// The parts of a hub's process that listen on its bus.
	"server/component":           "server/api server/component/alarm server/component/eventlog server/component/feed server/component/metrics server/component/progress server/component/syncqueue server/component/verifier server/events",
	"server/component/alarm":     "server/api server/events",
	"server/component/eventlog":  "server/api server/events",
	"server/component/feed":      "cas server/events",
	"server/component/metrics":   "server/api server/events github.com/prometheus/client_golang",
	"server/component/progress":  "server/api server/events",
	"server/component/syncqueue": "cas server/api server/events",
	"server/component/verifier":  "cas manifest server/api server/events",

	"cas":                    "github.com/minio/sha256-simd github.com/klauspost/compress",
	"cas/chunker":            "cas github.com/restic/chunker golang.org/x/sync",
	"cas/badgerstore":        "cas github.com/dgraph-io/badger golang.org/x/sys",
	"cas/castest":            "cas",
	"cas/castest/powercut":   "cas",
	"manifest":               "cas cas/chunker",
	"merkle":                 "cas github.com/cespare/xxhash",
	"server/api":             "cas manifest merkle",
	"server/api/hubtest":     "cas manifest merkle server/api pgregory.net/rapid",
	"server/access":          "server/api",
	"server/events":          "cas server/api",
	"server/hub":             "cas cas/badgerstore cas/chunker manifest merkle server/access server/api server/events github.com/dgraph-io/badger golang.org/x/sys golang.org/x/sync",
	"server/openapi":         "cas server/api",
	"server":                 "cas manifest merkle server/api server/component/feed server/events server/openapi github.com/gin-gonic/gin golang.org/x/sync golang.org/x/sys golang.org/x/time",
	"client/reconcile":       "cas manifest merkle server/api",
	"client/merge3":          "",
	"client/replica":         "cas manifest merkle server/api golang.org/x/sys",
	"client/state":           "cas server/api golang.org/x/sys",
	"client/worktree":        "cas manifest merkle client/worktree/ignore golang.org/x/sys golang.org/x/sync",
	"client/worktree/ignore": "",
	"client":                 "cas cas/chunker manifest merkle server/api server/events client/merge3 client/reconcile client/replica client/state client/worktree client/worktree/ignore golang.org/x/sync",
	"client/remote":          "cas manifest server/api golang.org/x/time",
	"bench":                  "bench/link bench/machine bench/measure bench/peer bench/report bench/workload cas cas/chunker client/remote manifest merkle server/api golang.org/x/sync",
	"bench/link":             "golang.org/x/sys",
	"bench/machine":          "cas cas/chunker golang.org/x/sys",
	"bench/measure":          "",
	"bench/peer":             "",
	"bench/report":           "",
	"bench/workload":         "golang.org/x/sys golang.org/x/sync",
	"cmd/dfs":                "bench bench/link bench/report cas client client/remote client/state client/worktree/ignore server server/api server/component server/events server/hub github.com/spf13/cobra github.com/spf13/pflag github.com/vbauerster/mpb manifest",
}

// printers are the packages that may print.
var printers = []string{"cmd/dfs", "bench"}

type goPackage struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

// TestImports holds the packages to the layers on each platform.
func TestImports(t *testing.T) {
	for _, platform := range []string{"linux", "darwin", "windows"} {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			for _, p := range listPackages(t, platform) {
				name := strings.TrimPrefix(p.ImportPath, "dfs/")
				row, ok := allowed[name]
				if !ok {
					t.Errorf("package %s has no row in the table of layers", name)
				}
				for _, path := range p.Imports {
					if !mayImport(strings.Fields(row), path) {
						t.Errorf("package %s may not import %s", name, path)
					}
				}
				if !slices.Contains(printers, name) {
					checkPrints(t, p)
				}
			}
		})
	}
}

// TestImportTable looks for rows that the module does not need any more.
func TestImportTable(t *testing.T) {
	var names []string
	for _, p := range listPackages(t, "linux") {
		names = append(names, strings.TrimPrefix(p.ImportPath, "dfs/"))
	}
	for name := range allowed {
		if !slices.Contains(names, name) {
			t.Errorf("there is no package %s", name)
		}
	}
}

func listPackages(t *testing.T, platform string) (packages []goPackage) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports", "dfs/...")
	cmd.Env = append(os.Environ(), "GOOS="+platform, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			packages = append(packages, p)
		}
	}
}

func mayImport(row []string, path string) bool {
	if own, ok := strings.CutPrefix(path, "dfs/"); ok {
		return slices.Contains(row, own)
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return true // the standard library
	}
	return slices.ContainsFunc(row, func(module string) bool {
		return path == module || strings.HasPrefix(path, module+"/")
	})
}

func TestMayImport(t *testing.T) {
	row := strings.Fields("cas github.com/spf13/cobra")
	for path, want := range map[string]bool{
		"fmt": true, "net/http": true, "dfs/cas": true, "dfs/cas/chunker": false, "dfs/client": false,
		"github.com/spf13/cobra": true, "github.com/spf13/cobra/doc": true, "github.com/spf13/cobra2": false,
	} {
		if got := mayImport(row, path); got != want {
			t.Errorf("mayImport(%s) = %v, want %v", path, got, want)
		}
	}
}

// checkPrints looks for what prints: fmt.Print…, os.Stdout, os.Stderr, print and println.
func checkPrints(t *testing.T, p goPackage) {
	t.Helper()
	for _, file := range p.GoFiles {
		files := token.NewFileSet()
		tree, err := parser.ParseFile(files, filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if what := printing(n); what != "" {
				t.Errorf("%s: %s in a package that does not print", files.Position(n.Pos()), what)
			}
			return true
		})
	}
}

// printing returns what of n prints, or "".
func printing(n ast.Node) string {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		pkg, ok := n.X.(*ast.Ident)
		if !ok {
			return ""
		}
		name := pkg.Name + "." + n.Sel.Name
		if strings.HasPrefix(name, "fmt.Print") || name == "os.Stdout" || name == "os.Stderr" {
			return name
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
			return f.Name
		}
	}
	return ""
}

func TestPrinting(t *testing.T) {
	for source, want := range map[string]int{
		`fmt.Println(1)`: 1, `fmt.Printf("")`: 1, `println(1)`: 1, `fmt.Fprintln(os.Stdout)`: 1, `x := os.Stderr; _ = x`: 1,
		`fmt.Fprintf(w, "")`: 0, `fmt.Sprint(1)`: 0, `os.Open("")`: 0,
	} {
		tree, err := parser.ParseFile(token.NewFileSet(), "", "package p; func f() { "+source+" }", 0)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		ast.Inspect(tree, func(n ast.Node) bool {
			if printing(n) != "" {
				got++
			}
			return true
		})
		if got != want {
			t.Errorf("%s: %d, want %d", source, got, want)
		}
	}
}
