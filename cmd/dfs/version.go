package main

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"dfs/server/api"
)

const versionHelp = `Print the version of dfs, of the Go that built it and of its protocol.

Usage:
  dfs version [flags]

Examples:
  dfs version
  dfs version --json`

// versionInfo is the JSON form of the version.
type versionInfo struct {
	Type     string `json:"type"` // "version"
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a changed work tree
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Protocol int    `json:"protocol"`
}

func (a *app) version() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Long:  versionHelp,
		Args:  cobra.NoArgs,
	}
	a.out.jsonFlag(cmd.Flags())
	return a.command(cmd, func(context.Context, []string) (int, error) {
		v := builtVersion()
		if a.out.json {
			a.out.object(v)
			return exitDone, nil
		}
		name := v.Version
		if v.Revision != "" {
			name += " " + v.Revision
		}
		if v.Modified {
			name += " (modified)"
		}
		a.out.result("dfs %s, %s, %s, protocol %d", name, v.Go, v.Platform, v.Protocol)
		return exitDone, nil
	})
}

// builtVersion reads what the Go linker recorded.
func builtVersion() versionInfo {
	v := versionInfo{
		Type: "version", Version: "unknown", Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH, Protocol: api.ProtocolVersion,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
