package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"go.yaml.in/yaml/v3"

	"shieldwall/internal/config"
)

func newConfigCheck() *command {
	return &command{
		name:  "config check",
		short: "check the configuration and print what counts",
		long: `Reads the configuration as up would, refuses what cannot work or would be dangerous, and prints the effective
configuration: the file over the defaults, and what is derived from the machine.`,
		exits: "0 it is fine\n1 it is not, with the reasons on stderr\n2 usage, or the file cannot be read",
		run: func(_ context.Context, p *program, _ []string) error {
			c, err := config.Load(p.flags, p.host)
			var unreadable *fs.PathError
			if errors.As(err, &unreadable) {
				return err
			}
			if err != nil {
				return &exit{exitFindings, err.Error()}
			}
			if p.json {
				return p.printJSON(c)
			}
			text, err := yaml.Marshal(c)
			if err != nil {
				return fmt.Errorf("printing the configuration: %w", err)
			}
			from := "the defaults; no file was read"
			if c.File() != "" {
				from = c.File()
			}
			p.talk("# %s", from)
			return p.print(printableLines(string(text)))
		},
	}
}

func newConfigExample() *command {
	return &command{
		name:  "config example",
		short: "print a documented configuration that says the defaults",
		long:  `Prints every key with its default and what it means, ready to be saved as config.yaml in the data folder.`,
		exits: "0 printed\n2 usage",
		run:   func(_ context.Context, p *program, _ []string) error { return p.print(string(config.Example)) },
	}
}
