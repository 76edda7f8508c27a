package peer

import (
	"fmt"
	"os/exec"
)

// A server speaks restic's REST protocol.
type server struct {
	name    string
	doc     string // what it does for durability
	note    string
	find    func() (string, error)
	daemon  func(Site) *Step
	durable func(Site) []Step
}

// restServer returns rest-server, or rclone where that alone is on PATH.
func restServer() server {
	if _, err := exec.LookPath("rest-server"); err == nil {
		return officialServer()
	}
	if _, err := exec.LookPath("rclone"); err == nil {
		return rcloneServer()
	}
	return officialServer()
}

func officialServer() server {
	return server{
		name: "rest-server",
		doc:  "rest-server --no-auth verifies and fsyncs each file and its directory before it answers, so a push is durable.",
		find: find("rest-server", "--version"),
		daemon: func(s Site) *Step {
			step := untimed(nil, "", "rest-server", "--path", s.Store, "--listen", s.address(), "--no-auth")
			return &step
		},
	}
}

// rcloneServer returns rclone serve restic on a local directory.
func rcloneServer() server {
	return server{
		name: "rclone serve restic",
		doc:  "There is no rest-server here: rclone serve restic stands in for it, at its defaults. It syncs nothing, so sync -f STORE is in the time of a push.",
		note: "served by rclone serve restic, since there is no rest-server",
		find: find("rclone", "version"),
		daemon: func(s Site) *Step {
			env := []string{"RCLONE_CONFIG=" + s.in("rclone.conf"), "RCLONE_CACHE_DIR=" + s.in("rclone")}
			step := untimed(env, "", "rclone", "serve", "restic", "--addr", s.address(), s.Store)
			return &step
		},
		durable: syncStore,
	}
}

// address returns where the daemon listens.
func (s Site) address() string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }
