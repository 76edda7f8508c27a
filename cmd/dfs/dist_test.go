package main

import (
	"encoding/json"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const dist = "../../server/dist/"

// distLines returns the lines of a file, those that end with a backslash joined, without comments.
func distLines(t *testing.T, name string) (lines []string) {
	t.Helper()
	data, err := os.ReadFile(dist + name)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.ReplaceAll(string(data), "\\\n", " "), "\n") {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

// understood fails the test unless dfs understands a command line, which it returns the command of.
func understood(t *testing.T, words []string) *cobra.Command {
	t.Helper()
	if len(words) == 0 || path.Base(words[0]) != "dfs" {
		t.Fatalf("%q is not dfs", words)
	}
	root := (&app{out: output{stdout: io.Discard, stderr: io.Discard}}).root()
	cmd, rest, err := root.Find(words[1:])
	if err == nil && cmd.HasSubCommands() {
		t.Fatalf("%q names no command", words)
	}
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	return cmd
}

// settled fails the test unless each of the variables of dfs is a flag of one of the commands, and takes its value.
func settled(t *testing.T, env map[string]string, commands ...*cobra.Command) {
	t.Helper()
	known := map[string]bool{}
	for _, cmd := range commands {
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known[variable(f.Name)] = true })
		if err := applySettings(cmd.Flags(), env, nil); err != nil {
			t.Errorf("%s: %v", cmd.Name(), err)
		}
	}
	for name := range env {
		if strings.HasPrefix(name, "DFS_") && !known[name] {
			t.Errorf("%s is no flag", name)
		}
	}
}

// TestUnit holds what the unit of systemd runs to what dfs understands.
func TestUnit(t *testing.T) {
	var serve *cobra.Command
	env := map[string]string{}
	for _, line := range distLines(t, "dfs.service") {
		name, value, _ := strings.Cut(line, "=")
		switch name {
		case "ExecStart":
			serve = understood(t, strings.Fields(value))
		case "Environment":
			name, value, _ := strings.Cut(value, "=")
			env[name] = value
		}
	}
	if serve == nil || serve.Name() != "serve" {
		t.Fatal("it does not run dfs serve")
	}
	settled(t, env, serve)
	conf := serve.Flags().Lookup(configFlag).Value.String()
	if conf != "/etc/dfs/hub.conf" {
		t.Errorf("its configuration is %s", conf)
	}
}

// TestHubConf applies the configuration that goes with the unit, its comments that are settings too.
func TestHubConf(t *testing.T) {
	data, err := os.ReadFile(dist + "hub.conf")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"as it is": string(data), "with all": strings.ReplaceAll(string(data), "\n# ", "\n")} {
		var lines []string
		for _, line := range strings.Split(text, "\n") {
			if line == "" || line[0] == '#' || strings.Contains(line, " = ") {
				lines = append(lines, line)
			}
		}
		c, err := parseConfig("hub.conf", strings.NewReader(strings.Join(lines, "\n")), configuresHub)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := applySettings(understood(t, []string{"dfs", "serve"}).Flags(), nil, c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestContainerfile holds what the container runs to what dfs understands.
func TestContainerfile(t *testing.T) {
	env := map[string]string{}
	var entrypoint, run, health []string
	var user, volume string
	for _, line := range distLines(t, "Containerfile") {
		instruction, rest, _ := strings.Cut(line, " ")
		switch instruction {
		case "FROM":
			if image, _, _ := strings.Cut(rest, " "); image != "scratch" && !strings.Contains(image, "/") {
				t.Errorf("%s is of no registry", image)
			}
		case "ENV":
			for _, pair := range strings.Fields(rest) {
				name, value, _ := strings.Cut(pair, "=")
				env[name] = value
			}
		case "ENTRYPOINT":
			entrypoint = execForm(t, rest)
		case "CMD":
			run = execForm(t, rest)
		case "HEALTHCHECK":
			_, command, _ := strings.Cut(rest, "CMD ")
			health = execForm(t, command)
		case "USER":
			user = rest
		case "VOLUME":
			volume = rest
		}
	}
	settled(t, env, understood(t, append(entrypoint, run...)), understood(t, health))
	if user == "" || strings.Trim(user, "0:") == "" || strings.HasPrefix(user, "root") {
		t.Errorf("it runs as %q", user)
	}
	if volume != env["DFS_DATA"] {
		t.Errorf("its data is in %s, its volume at %s", env["DFS_DATA"], volume)
	}
}

// TestDistComments holds the commands of dfs in what the comments tell to type to what dfs understands.
func TestDistComments(t *testing.T) {
	told := regexp.MustCompile(`(?m)^#   (?:runuser -u dfs -- |podman exec hub )?(dfs .*?)(?:   .*)?$`)
	for name, want := range map[string]int{"dfs.service": 3, "Containerfile": 1} {
		data, err := os.ReadFile(dist + name)
		if err != nil {
			t.Fatal(err)
		}
		commands := told.FindAllStringSubmatch(string(data), -1)
		if len(commands) != want {
			t.Errorf("%s tells %q, want %d", name, commands, want)
		}
		for _, c := range commands {
			understood(t, strings.Fields(c[1]))
		}
	}
}

// execForm returns the words of a command that is a JSON array.
func execForm(t *testing.T, text string) (words []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &words); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return words
}

// TestHubSettings wants each flag of serve as a key of a hub's configuration, and each key as a flag of serve or of
// dfs hub.
func TestHubSettings(t *testing.T) {
	var flags []string
	for _, words := range [][]string{{"serve"}, {"hub", "status"}, {"hub", "invite"}} {
		cmd := understood(t, append([]string{"dfs"}, words...))
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			flags = append(flags, f.Name)
			if own := f.Name == configFlag || f.Name == "help" || f.Hidden; words[0] == "serve" && !own && !configuresHub(f.Name) {
				t.Errorf("--%s is no key", f.Name)
			}
		})
	}
	for _, key := range []string{"data", "listen", "wait", "verbose", "log-format", "auth", "tls-cert", "tls-key", "tls-self-signed",
		"memory", "connections", "client-requests", "client-rate", "session-timeout", "hub", "token-file", "right", "expires", "quiet"} {
		if !configuresHub(key) || !configurable(key) || !slices.Contains(flags, key) {
			t.Errorf("the key %s is no flag", key)
		}
	}
	for _, key := range []string{"compression", "volume", "token", "admin-token", configFlag} {
		if configuresHub(key) {
			t.Errorf("%s is a key", key)
		}
	}
}
