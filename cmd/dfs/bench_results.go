package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"dfs/bench/report"
)

// results are the files that a benchmark writes. They have temporary names until there is
// something to keep, so that what an earlier one measured is not lost for nothing.
type results struct {
	dir  string
	file *os.File // JSON lines; nil: no files are asked for
}

// newResults makes the files in the directory dir, which is made if it is not there; none where dir is "".
func newResults(dir string) (*results, error) {
	if dir == "" {
		return &results{}, nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, "results.json.part"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	return &results{dir, file}, err
}

// lines is where the JSON lines go; nil: nowhere.
func (r *results) lines() io.Writer {
	if r.file == nil {
		return nil
	}
	return r.file
}

// keep ends the files: where all was measured, or at least something, they get their names;
// else nothing is left of them.
func (r *results) keep(set report.Set, all bool) error {
	if r.file == nil {
		return nil
	}
	part := r.file.Name()
	if err := r.file.Close(); err != nil {
		return err
	}
	measured := func(rec report.Record) bool { return rec.Failed == "" }
	if !all && !slices.ContainsFunc(set.Records, measured) {
		return os.Remove(part)
	}
	return errors.Join(os.Rename(part, filepath.Join(r.dir, "results.json")), r.page(set))
}

// page writes the page for a browser.
func (r *results) page(set report.Set) error {
	file, err := os.Create(filepath.Join(r.dir, "report.html.part"))
	if err != nil {
		return err
	}
	if err := errors.Join(report.HTML(file, set), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), filepath.Join(r.dir, "report.html"))
}

// compareResults says what got slower from one file of results to another.
func (a *app) compareResults(old, new string) (int, error) {
	before, err := readResults(old)
	if err != nil {
		return 0, err
	}
	after, err := readResults(new)
	if err != nil {
		return 0, err
	}
	slower, err := report.Compare(a.out.stdout, before, after)
	if err != nil || slower == 0 {
		return exitDone, err
	}
	return exitFailed, nil
}

func readResults(path string) (report.Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return report.Set{}, err
	}
	defer f.Close()
	set, err := report.Read(f)
	if err != nil {
		return set, fmt.Errorf("%s: %w", quoted(path), err)
	}
	return set, nil
}
