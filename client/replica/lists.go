package replica

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ExcludeName is the file of a replica's own patterns, of the syntax of .dfsignore.
const ExcludeName = "exclude"

// Excludes reads the replica's own patterns of what to ignore, nil when there are none.
func Excludes(root string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(root, Dir, ExcludeName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// AddExcludes returns data with the patterns that are not lines of it yet at its end.
func AddExcludes(data []byte, patterns []string) []byte {
	out := bytes.Clone(data)
	for _, p := range patterns {
		lines := strings.Split(string(out), "\n")
		if containsLine(lines, p) {
			continue
		}
		if len(out) > 0 && out[len(out)-1] != '\n' {
			out = append(out, '\n')
		}
		out = append(append(out, p...), '\n')
	}
	return out
}

func containsLine(lines []string, p string) bool {
	for _, line := range lines {
		if strings.TrimSuffix(line, "\r") == p {
			return true
		}
	}
	return false
}

// SaveExcludes makes data the replica's own patterns, durable on return.
func SaveExcludes(root string, data []byte) error { return saveBytes(root, ExcludeName, data) }

// Mounts reads where other file systems were mounted below the replica's root when
// it was last looked at, in path order.
func Mounts(root string) ([]string, error) {
	name := filepath.Join(root, Dir, "mounts")
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var paths []string
	for n, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		path, err := strconv.Unquote(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: not a quoted path; remove the file to forget what was mounted", name, n+1)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// SaveMounts is told what Mounts is to return, a quoted path a line. It is durable on return.
func SaveMounts(root string, paths []string) error {
	var data []byte
	for _, p := range paths {
		data = append(strconv.AppendQuote(data, p), '\n')
	}
	if len(data) == 0 {
		err := os.Remove(filepath.Join(root, Dir, "mounts"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return saveBytes(root, "mounts", data)
}
