package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"dfs/client/replica"
	"dfs/client/worktree"
	"dfs/client/worktree/ignore"
)

// Ignored tells of each path, given as a user would, whether its replica ignores it, and calls each
// with the pattern that decides; nil is none. A path need not exist, and outside of a
// replica the current directory is taken for its root. It alters nothing.
func Ignored(paths []string, each func(path string, ignored bool, by *ignore.Pattern) error) error {
	for _, path := range paths {
		ignored, by, err := decideIgnored(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := each(path, ignored, by); err != nil {
			return err
		}
	}
	return nil
}

func decideIgnored(path string) (ignored bool, by *ignore.Pattern, err error) {
	dir, rel, err := rootOf(path)
	if err != nil {
		return false, nil, err
	}
	root, err := worktree.Open(dir)
	if err != nil {
		return false, nil, err
	}
	defer root.Close()
	data, err := replica.Excludes(dir)
	if err != nil {
		return false, nil, err
	}
	rules, err := root.RulesFor(rel, ownRules(data))
	if err != nil {
		return false, nil, err
	}
	isDir := strings.HasSuffix(path, "/")
	if info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(rel))); err == nil {
		isDir = info.IsDir()
	}
	by = rules.Decide(rel, isDir)
	return by != nil && !by.Negated, by, nil
}

// rootOf returns the root of the replica that path lies in, and path from there with slashes.
func rootOf(path string) (root, rel string, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", "", err
	}
	for root = filepath.Dir(abs); !replica.Exists(root); root = filepath.Dir(root) {
		if filepath.Dir(root) == root {
			if root, err = os.Getwd(); err != nil {
				return "", "", err
			}
			break
		}
	}
	rel, err = filepath.Rel(root, abs)
	rel = filepath.ToSlash(rel)
	if err == nil && !fs.ValidPath(strings.ToValidUTF8(rel, "x")) || rel == "." {
		err = errors.New("is neither in a replica nor in the current directory")
	}
	return root, rel, err
}
