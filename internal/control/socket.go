package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	// runFolder holds the socket. It is 0700, so that nobody else reaches the socket even in the moment
	// between its making and its chmod.
	runFolder  = "run"
	socketName = "control.sock"
	// pathName records where the socket is when the data folder's path is too long for one.
	pathName = "control.path"
	// maxSocketPath is the longest path that every system takes: macOS has 104 bytes with the zero.
	maxSocketPath = 103

	tempPrefix  = "shieldwall-"
	dialTimeout = 2 * time.Second
)

// ErrNoNode says that no node answers on a data folder's socket.
var ErrNoNode = errors.New("no node answers on its control socket")

// Listen opens the control socket of a data folder, for which the caller holds the lock: what an earlier
// process left is removed. Closing the listener removes the socket.
func Listen(data string) (net.Listener, error) {
	l, err := listen(data)
	if err != nil {
		return nil, fmt.Errorf("opening the control socket: %w", err)
	}
	return l, nil
}

func listen(data string) (net.Listener, error) {
	dir := filepath.Join(data, runFolder)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	if err := clean(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, socketName)
	if len(path) > maxSocketPath {
		short, err := shortPath(dir)
		if err != nil {
			return nil, err
		}
		path = short
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, errors.Join(err, clean(dir))
	}
	own := &ownListener{Listener: l, dir: dir}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, own.Close())
	}
	return own, nil
}

// shortPath makes a private folder where paths are short, and records it.
func shortPath(dir string) (string, error) {
	temp, err := os.MkdirTemp("", tempPrefix) // 0700
	if err != nil {
		return "", err
	}
	path := filepath.Join(temp, socketName)
	if len(path) > maxSocketPath {
		return "", errors.Join(
			fmt.Errorf("%s and %s are both too long for a socket (at most %d bytes); use a shorter data folder or TMPDIR", dir, path, maxSocketPath),
			os.Remove(temp))
	}
	if err := os.WriteFile(filepath.Join(dir, pathName), []byte(path), 0o600); err != nil {
		return "", errors.Join(err, os.Remove(temp))
	}
	return path, nil
}

// clean removes a socket of this data folder, and what a short path left. It touches nothing else: the
// recorded path is removed only if it looks as shortPath makes it.
func clean(dir string) error {
	if err := removeSocket(filepath.Join(dir, socketName)); err != nil {
		return err
	}
	if path, err := recorded(dir); err == nil && removeSocket(path) == nil {
		os.Remove(filepath.Dir(path)) // not empty or gone already: nothing of ours to mourn
	}
	if err := os.Remove(filepath.Join(dir, pathName)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is in the way: it is no socket", path)
	}
	return os.Remove(path)
}

// recorded reads the path that shortPath recorded, and believes only one of its own form in a folder that
// is private: a folder for temporary files is open to others.
func recorded(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, pathName))
	if err != nil {
		return "", err
	}
	path := string(text)
	parent := filepath.Dir(path)
	if !filepath.IsAbs(path) || filepath.Base(path) != socketName || !strings.HasPrefix(filepath.Base(parent), tempPrefix) || len(path) > maxSocketPath {
		return "", fmt.Errorf("%s does not name a control socket", filepath.Join(dir, pathName))
	}
	info, err := os.Lstat(parent)
	if err != nil {
		return "", err
	}
	// Windows keeps permissions elsewhere; there the folder lies in the user's own profile.
	if !info.IsDir() || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		return "", fmt.Errorf("%s is not a private folder", parent)
	}
	return path, nil
}

// ownListener removes on its first Close all that Listen made; a later Close might meet the next process's.
type ownListener struct {
	net.Listener
	dir  string
	once sync.Once
}

// Close is net.Listener's.
func (l *ownListener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() { err = errors.Join(l.Listener.Close(), clean(l.dir)) })
	return err
}

// Dial finds the node that runs on a data folder; the error wraps ErrNoNode where none answers.
func Dial(data string) (*Client, error) {
	dir := filepath.Join(data, runFolder)
	path, err := recorded(dir)
	if errors.Is(err, fs.ErrNotExist) {
		path, err = filepath.Join(dir, socketName), nil
	}
	if err != nil {
		return nil, fmt.Errorf("finding the control socket: %w", err)
	}
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("%w: %s is too long for one and none is recorded", ErrNoNode, path)
	}
	conn, err := net.DialTimeout("unix", path, dialTimeout)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoNode, err)
	}
	conn.Close()
	return newSocketClient(path), nil
}
