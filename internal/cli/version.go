package cli

import (
	"context"
	"runtime"
	"runtime/debug"
)

// versionInfo is `version --json`.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion() *command {
	return &command{
		name:  "version",
		short: "print the version",
		long:  `Prints the version, the revision it was built from where that is known, and the platform.`,
		exits: "0 printed\n2 usage",
		run: func(_ context.Context, p *program, _ []string) error {
			v := version()
			if p.json {
				return p.printJSON(v)
			}
			revision := ""
			if v.Revision != "" {
				revision = ", revision " + v.Revision
			}
			if v.Modified {
				revision += " with changes"
			}
			return p.printf("shieldwall %s%s, %s, %s\n", v.Version, revision, v.Go, v.Platform)
		},
	}
}

// version reads what the Go command recorded in the binary.
func version() versionInfo {
	v := versionInfo{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
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
