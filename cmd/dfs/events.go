package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dfs/cas"
	"dfs/client"
	"dfs/client/remote"
)

const eventsHelp = `Print what happens on a hub, as it happens, until interrupted.

Each event is a line: its time, its type and its fields. You see those of the volumes that
you may read. After a cut it goes on where it was; when events are missing, an event
"lost" says so. The hub must be a server: one in process has nobody else to tell.

Usage:
  dfs events [flags]

Examples:
  dfs events --hub http://nas:8420
  dfs events --volume docs --json`

func (a *app) events() *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "events",
		Short: "print what happens on a hub",
		Long:  eventsHelp,
		Args:  cobra.NoArgs,
	}
	fs := cmd.Flags()
	fs.StringVar(&flags.hub, hubFlag, "", "listen to `HUB`: http(s)://host:port")
	fs.StringVar(&flags.volume, "volume", "", "print the events of the volume `NAME` only")
	tokenFlag(fs, &flags.tokenFile)
	a.out.jsonFlag(fs)
	return a.command(cmd, func(ctx context.Context, _ []string) (int, error) {
		return exitDone, a.printEvents(ctx, &flags)
	})
}

func (a *app) printEvents(ctx context.Context, flags *runFlags) error {
	hub, err := location(flags.hub, "--"+hubFlag)
	if err == nil && hub == "" {
		hub, err = a.newHub()
	}
	if err != nil {
		return err
	}
	if !strings.Contains(hub, "://") {
		return &client.UsageError{Message: fmt.Sprintf("the hub %s is a local repository, which has no events for others; dfs serve makes it a server", quoted(hub))}
	}
	opts, err := a.remoteOptions(hub, flags.tokenFile)
	if err != nil {
		return err
	}
	h, err := remote.New(hub, opts)
	if err != nil {
		return err
	}
	defer h.Close()
	var volume cas.VolumeID
	if flags.volume != "" {
		found, err := h.Volumes(ctx, flags.volume)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("%s has no volume %s", hub, quoted(flags.volume))
		}
		volume = found[0].ID
	}
	return h.Events(ctx, volume, func() { a.out.listening(hub) }, a.out.event)
}

// listening says that events are printed from now on.
func (o *output) listening(hub string) {
	if !o.json {
		o.notice("listening to %s", hub)
		return
	}
	o.object(struct {
		Type string `json:"type"`
		Hub  string `json:"hub"`
	}{"listening", hub})
}

// event prints an event.
func (o *output) event(e remote.Event) error {
	if o.json {
		_, err := fmt.Fprintf(o.stdout, "%s\n", e.Data)
		return err
	}
	fields, at, err := flat(e.Data)
	if err != nil {
		return fmt.Errorf("event %s: %w", quoted(e.Type), err)
	}
	_, err = fmt.Fprintln(o.stdout, strings.TrimSpace(cmp.Or(at, "-")+" "+quoted(e.Type)+" "+strings.Join(fields, " ")))
	return err
}

// flat returns the fields of an object in their order, as name=value, but for its type and its time.
func flat(data []byte) (fields []string, at string, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var names []string // of the objects around, and of the field
	value := false     // what comes is a value
	for d.More() || len(names) > 0 {
		token, err := d.Token()
		if err != nil {
			return nil, "", err
		}
		switch {
		case token == json.Delim('{'):
			names, value = append(names, ""), false
		case token == json.Delim('}'):
			names, value = names[:len(names)-1], false
		case len(names) == 0:
			return nil, "", fmt.Errorf("%.64q is no object", data)
		case !value:
			names[len(names)-1], value = fmt.Sprint(token), true
		default:
			name, text := strings.Join(names, "."), fmt.Sprint(token)
			value = false
			switch {
			case name == "at":
				at = text
			case name != "type":
				fields = append(fields, harmless(name)+"="+quoted(text))
			}
		}
	}
	return fields, at, nil
}
