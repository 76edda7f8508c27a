package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// amid runs one program in the middle of another: amid PART CODE program args… -- CODE program args…
// The first has --hub with a proxy; before its first request whose path ends with PART the
// second is run to its end. Both must exit with their codes.
func amid(ts *testscript.TestScript, neg bool, args []string) {
	between := slices.Index(args, "--")
	if neg || between < 3 || len(args) < between+3 {
		ts.Fatalf("usage: amid PART CODE program args... -- CODE program args...")
	}
	target, err := url.Parse(ts.Getenv("HUB"))
	ts.Check(err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	var once sync.Once
	met := fmt.Errorf("no request for %s", args[0])
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, args[0]) {
			once.Do(func() { met = runOutside(ts.MkAbs("."), ts.Getenv("HOME"), args[between+1:]) })
		}
		proxy.ServeHTTP(w, r)
	}))
	defer srv.Close()
	exits(ts, false, append(slices.Clone(args[1:between]), "--hub", srv.URL))
	ts.Check(met)
}

// runOutside runs a program of which the script sees nothing: CODE program args…
func runOutside(dir, home string, args []string) error {
	want, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+home)
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != want {
		return fmt.Errorf("%v exits with %d, want %d: %v\n%s", args[1:], got, want, err, out)
	}
	return nil
}
