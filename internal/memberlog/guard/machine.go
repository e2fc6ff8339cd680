package guard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// MachineID returns what tells this machine from others, the same after every start: the operating system's
// id where it has one, else a random one that is kept in the file beside, so that the restart of a
// container or of a host without an id is no doubt. What it returns is a hash: systems ask that their id
// is not passed on (machine-id(5)).
func MachineID(beside string) (string, error) {
	id, err := systemID()
	if err != nil {
		return "", fmt.Errorf("asking for the machine id: %w", err)
	}
	return machineID(id, beside, rand.Reader)
}

func machineID(system, beside string, random io.Reader) (string, error) {
	id := strings.TrimSpace(system)
	// An image that was not started yet says "uninitialized" (machine-id(5)).
	if id == "" || id == "uninitialized" {
		var err error
		if id, err = keptID(beside, random); err != nil {
			return "", fmt.Errorf("keeping a machine id: %w", err)
		}
	}
	mac := hmac.New(sha256.New, []byte(id))
	mac.Write([]byte("shieldwall/guard/v1"))
	return hex.EncodeToString(mac.Sum(nil)[:16]), nil
}

// keptID reads the random id in a file and makes it where there is none.
func keptID(path string, random io.Reader) (string, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		id := strings.TrimSpace(string(b))
		if raw, err := hex.DecodeString(id); err != nil || len(raw) != 16 {
			return "", fmt.Errorf("%s holds no machine id", path)
		}
		return id, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var raw [16]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", err
	}
	id := hex.EncodeToString(raw[:])
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, ".machine-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(id + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return "", err
	}
	return id, syncDir(dir)
}
