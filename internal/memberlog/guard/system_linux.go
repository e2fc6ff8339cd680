package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// systemID is systemd's and D-Bus's machine id, empty where there is none.
func systemID() (string, error) {
	b, err := os.ReadFile("/etc/machine-id")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// diskOf names the disk under a path. Of a partition that is the disk it was cut from; of what the kernel
// knows no block device for (a network or memory file system) it is the file system.
func diskOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", errors.New("no device number")
	}
	dev := uint64(st.Dev) // narrower on some architectures
	link := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(dev), unix.Minor(dev))
	device, err := filepath.EvalSymlinks(link)
	if err != nil {
		return fmt.Sprintf("fs %d", dev), nil
	}
	if _, err := os.Stat(filepath.Join(device, "partition")); err == nil {
		device = filepath.Dir(device)
	}
	return device, nil
}
