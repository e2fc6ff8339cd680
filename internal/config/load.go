package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shieldwall/internal/roster"
)

// Host is what the configuration wants to know of the machine; a test makes its own.
type Host struct {
	// Getenv reads an environment variable.
	Getenv func(string) string
	// Name is the host's name, empty where it has none.
	Name string
	// OS is runtime.GOOS.
	OS string
}

// Flags are the command line's overrides; empty ones override nothing. Their relative paths start at the
// working directory.
type Flags struct {
	Data, File, Member, PageListen, PeerListen string
}

// Load finds the configuration (the file that the flags name, or config.yaml in the data folder), lets the
// flags override it, derives what it leaves to the machine, and validates the whole. A file that the flags
// name must exist.
func Load(flags Flags, host Host) (Config, error) {
	c, err := read(flags, host)
	if err != nil {
		return Config{}, err
	}
	for _, o := range []struct {
		flag string
		key  *string
	}{{flags.Member, &c.Member}, {flags.PageListen, &c.Page.Listen}, {flags.PeerListen, &c.Peer.Listen}} {
		if o.flag != "" {
			*o.key = o.flag
		}
	}
	if err := c.derive(host); err != nil {
		return Config{}, err
	}
	if err := c.Validate(); err != nil {
		if c.file != "" {
			err = fmt.Errorf("%s: %w", c.file, err)
		}
		return Config{}, err
	}
	return c, nil
}

// read finds and decodes the file and settles the data folder.
func read(flags Flags, host Host) (Config, error) {
	if flags.File != "" {
		c, err := readFile(flags.File)
		if err != nil {
			return Config{}, err
		}
		if flags.Data != "" || c.Data == "" {
			c.Data, err = dataFolder(flags.Data, host)
		}
		return c, err
	}
	data, err := dataFolder(flags.Data, host)
	if err != nil {
		return Config{}, err
	}
	c, err := readFile(filepath.Join(data, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		c, err = Default(), nil
	}
	if err != nil {
		return Config{}, err
	}
	if c.Data != "" && c.Data != data {
		return Config{}, fmt.Errorf("%s: data: names %s, but the file lies in another data folder; leave it out or use --config", c.file, c.Data)
	}
	c.Data = data
	return c, nil
}

func dataFolder(flag string, host Host) (string, error) {
	if flag != "" {
		return filepath.Abs(flag)
	}
	base, err := stateDir(host)
	if err != nil {
		return "", err
	}
	return filepath.Join(base, "shieldwall"), nil
}

// readFile decodes a file and makes its relative paths absolute.
func readFile(path string) (Config, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Config{}, fmt.Errorf("finding the configuration: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	c, err := Decode(path, data)
	if err != nil {
		return Config{}, err
	}
	c.file = path
	for key, p := range c.paths() {
		if strings.HasPrefix(*p, "~") {
			return Config{}, &Error{File: path, Key: key, Problem: "~ is not expanded; write the whole path"}
		}
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(filepath.Dir(path), *p)
		} else if *p != "" {
			*p = filepath.Clean(*p)
		}
	}
	return c, nil
}

// paths lists the keys that name files or folders.
func (c *Config) paths() map[string]*string {
	all := map[string]*string{"data": &c.Data, "guard": &c.Guard, "officer_key": &c.OfficerKey, "taxii.certificate": &c.TAXII.Certificate, "taxii.key": &c.TAXII.Key}
	for i := range c.Rules {
		all[fmt.Sprintf("rules[%d]", i)] = &c.Rules[i]
	}
	for i := range c.Ingest.Follow {
		all[fmt.Sprintf("ingest.follow[%d].path", i)] = &c.Ingest.Follow[i].Path
	}
	return all
}

// derive fills what the file and the flags left to the machine.
func (c *Config) derive(host Host) error {
	if c.Member == "" {
		c.Member = memberFromHost(host.Name)
	}
	if c.OfficerKey == "" {
		c.OfficerKey = filepath.Join(c.Data, "officer.key")
	}
	if c.Guard == "" {
		base, err := configDir(host)
		if err != nil {
			return fmt.Errorf("guard: %w; name a file outside the data folder in the configuration", err)
		}
		sum := sha256.Sum256([]byte(c.Data))
		c.Guard = filepath.Join(base, hex.EncodeToString(sum[:8]))
	}
	return nil
}

// memberFromHost makes a host's name fit the pattern of names (DESIGN.md, "Formats"): the first label, in
// lower case, with hyphens for what does not fit.
func memberFromHost(host string) string {
	label, _, _ := strings.Cut(strings.ToLower(host), ".")
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, label)
	name = strings.Trim(name, "-")
	if len(name) > roster.MaxName {
		name = strings.TrimRight(name[:roster.MaxName], "-")
	}
	if checkMember(name) != nil {
		return "member"
	}
	return name
}

// stateDir is where a user's programs keep state.
func stateDir(host Host) (string, error) {
	switch host.OS {
	case "windows":
		return envDir(host, "LocalAppData", "")
	case "darwin":
		return envDir(host, "HOME", "Library/Application Support")
	}
	if dir := host.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	return envDir(host, "HOME", ".local/state")
}

// configDir is where guards lie: the user's configuration folder, never inside the default data folder.
func configDir(host Host) (string, error) {
	switch host.OS {
	case "windows":
		return envDir(host, "AppData", "shieldwall/guard")
	case "darwin":
		return envDir(host, "HOME", "Library/Application Support/shieldwall-guard")
	}
	if dir := host.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "shieldwall", "guard"), nil
	}
	return envDir(host, "HOME", ".config/shieldwall/guard")
}

func envDir(host Host, variable, below string) (string, error) {
	dir := host.Getenv(variable)
	if !filepath.IsAbs(dir) {
		return "", fmt.Errorf("no home folder: %s is not set to an absolute path", variable)
	}
	return filepath.Join(dir, filepath.FromSlash(below)), nil
}
