package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"shieldwall/internal/config"
	"shieldwall/internal/control"
	"shieldwall/internal/keys"
)

// ErrInUse says that another process owns the data folder.
var ErrInUse = errors.New("another process owns the data folder")

// ErrEmpty says that no node lives in the data folder.
var ErrEmpty = errors.New("no node lives in the data folder")

// Opener opens a node for one command, where none runs.
type Opener interface {
	// OpenNode takes the data folder's lock and opens what is in it; the closer gives both back. The
	// error wraps ErrInUse where another process owns the folder. In an empty folder it creates a member
	// with create's help; without create (nil) the error wraps ErrEmpty.
	OpenNode(ctx context.Context, cfg config.Config, create *Creation) (control.Backend, io.Closer, error)
}

// Nodes is what the command line wants of the node.
type Nodes interface {
	Opener
	// RunNode runs a node until ctx ends, which is no error; an empty folder is filled first. The error
	// wraps ErrInUse where another process owns the folder.
	RunNode(ctx context.Context, cfg config.Config, run Running) error
}

// Creation is what a member's creation needs of the person who asked for it.
type Creation struct {
	// Passphrase is asked at most once, for the recovery kit.
	Passphrase func() (string, error)
}

// Running is what a running node needs of the command line.
type Running struct {
	Creation Creation
	// Ready is called once, when the node serves.
	Ready   func(Ready)
	Log     *slog.Logger
	Version string
}

// Ready is where a node that runs is to be found.
type Ready struct {
	// PageLink opens the page once: it carries a secret.
	PageLink string `json:"page"`
	Peer     string `json:"peer"`
	Member   string `json:"member"`
	Alliance string `json:"alliance"`
	Data     string `json:"data"`
	// Created says that this start made the member.
	Created bool `json:"created"`
}

// session is one command's node.
type session struct {
	*control.Client
	// running says that a node runs; else this command opened it.
	running bool
	cfg     config.Config
	closer  io.Closer
}

// close gives an opened node back.
func (s *session) close() error {
	s.Client.Close()
	if s.closer == nil {
		return nil
	}
	if err := s.closer.Close(); err != nil {
		return fmt.Errorf("closing the node: %w", err)
	}
	return nil
}

// A folder can be owned for a moment by another command, or by a node that does not serve yet.
const (
	inUsePatience = 5 * time.Second
	inUseEvery    = 50 * time.Millisecond
)

// open finds the node of the configured data folder: the one that runs on it, else the folder itself, opened
// for this command. create is nil for commands that want a member to be there.
func (p *program) open(ctx context.Context, create *Creation) (*session, error) {
	cfg, err := config.Load(p.flags, p.host)
	if err != nil {
		return nil, err
	}
	var s *session
	err = p.whileInUse(ctx, func() error {
		s, err = p.openOnce(ctx, cfg, create)
		return err
	})
	if errors.Is(err, ErrInUse) {
		return nil, fmt.Errorf("opening %s: %w", cfg.Data, err)
	}
	return s, err
}

// whileInUse tries again while another process owns the data folder, for as long as patience lasts.
func (p *program) whileInUse(ctx context.Context, try func() error) error {
	patience, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	for {
		err := try()
		if !errors.Is(err, ErrInUse) {
			return err
		}
		select {
		case <-patience.Done():
			return err
		case <-time.After(inUseEvery):
		}
	}
}

func (p *program) openOnce(ctx context.Context, cfg config.Config, create *Creation) (*session, error) {
	backend, closer, err := p.nodes.OpenNode(ctx, cfg, create)
	switch {
	case errors.Is(err, ErrEmpty):
		return nil, fmt.Errorf("%s holds no node; shieldwall up starts one", cfg.Data)
	case errors.Is(err, ErrInUse):
		client, derr := control.Dial(cfg.Data)
		if errors.Is(derr, control.ErrNoNode) {
			return nil, fmt.Errorf("%w and does not answer on its control socket", ErrInUse)
		}
		if derr != nil {
			return nil, derr
		}
		return &session{Client: client, running: true, cfg: cfg}, nil
	case err != nil:
		return nil, err
	}
	return &session{Client: control.NewClient(control.Handler(backend)), cfg: cfg, closer: closer}, nil
}

// withNode runs a command's work on its node.
func (p *program) withNode(ctx context.Context, create *Creation, work func(*session) error) error {
	s, err := p.open(ctx, create)
	if err != nil {
		return err
	}
	return errors.Join(work(s), s.close())
}

// kitFlagUsage is the help of --kit-passphrase-file.
const kitFlagUsage = "`FILE` with the recovery kit's passphrase on its first line, for a first start without a terminal"

// maxPassphraseFile is more than any passphrase needs.
const maxPassphraseFile = 4096

// creation asks for the recovery kit's passphrase: from the file, else it makes one and shows it once, which
// takes a terminal with somebody in front of it.
func (p *program) creation(kitFile string) *Creation {
	return &Creation{Passphrase: func() (string, error) {
		if kitFile != "" {
			return readPassphrase(kitFile)
		}
		if !isTerminal(p.stdin) || !isTerminal(p.stderr) {
			return "", errors.New("a first start makes a recovery kit, and there is no terminal to show its passphrase on: give one with --kit-passphrase-file FILE")
		}
		pass, err := keys.Passphrase(rand.Reader)
		if err != nil {
			return "", fmt.Errorf("making a passphrase: %w", err)
		}
		p.talk("The recovery kit's passphrase, shown this once:\n\n    %s\n\nWrite it down and keep it apart from the kit. With both, this member can be rebuilt after a wipe;\nwithout them it cannot.\n", pass)
		return pass, nil
	}}
}

func readPassphrase(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the passphrase: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPassphraseFile+1))
	if err != nil {
		return "", fmt.Errorf("reading the passphrase: %w", err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return "", fmt.Errorf("%s has no passphrase on its first line", path)
	}
	if len(line) > maxPassphraseFile {
		return "", fmt.Errorf("the first line of %s is longer than %d bytes", path, maxPassphraseFile)
	}
	return line, nil
}
