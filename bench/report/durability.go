package report

import "slices"

// durability says when what a tool wrote is on the disk, and what a measurement adds to
// it (see package peer for how each is run). Of a tool that it does not know it says nothing.
func durability(tool string) string {
	const copies = "syncs nothing; sync -f of the target is in its time"
	const restores = "; a restore syncs nothing, and sync -f of the target is in its time"
	switch tool {
	case "rsync", "rsync-daemon", "rclone", "unison":
		return copies
	case "rsync-nosync":
		return "syncs nothing, and nothing is added: its result may be lost in a power cut minutes later"
	case "restic":
		return "a push is durable, each file of the repository synced before it gets its name" + restores
	case "restic-rest":
		return "a push is durable, each file synced by rest-server before it answers (where a note names another server, by sync -f of the store in its time)" + restores
	case "borg":
		return "a push is durable, segments and their directory synced at the commit" + restores
	case "kopia":
		return "versions differ in what they sync; sync -f of the store is in the time of a push, that of the target in that of a restore"
	}
	if ours(tool) {
		return "a push is answered when the hub has synced it; a pull syncs files before they get their names, and directories before it ends; nothing is added"
	}
	return ""
}

// durabilities returns what is known of the tools of some rows, in their order.
func durabilities(rows []row) (lines []named) {
	for _, r := range rows {
		line := named{r.tool, durability(r.tool)}
		if line.Value != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}
