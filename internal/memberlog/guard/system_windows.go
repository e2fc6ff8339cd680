package guard

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// systemID is the id that Windows gives an installation, empty where it cannot be had.
func systemID() (string, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Cryptography`, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if errors.Is(err, registry.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer key.Close()
	id, _, err := key.GetStringValue("MachineGuid")
	if errors.Is(err, registry.ErrNotExist) {
		return "", nil
	}
	return id, err
}

// diskOf names the volume under a path by its serial number.
func diskOf(path string) (string, error) {
	root, err := windows.UTF16PtrFromString(filepath.VolumeName(path) + `\`)
	if err != nil {
		return "", err
	}
	var serial uint32
	if err := windows.GetVolumeInformation(root, nil, 0, &serial, nil, nil, nil, 0); err != nil {
		return "", err
	}
	return fmt.Sprintf("volume %08x", serial), nil
}

// syncDir has nothing to do: folders cannot be synced here, the file system journals names by itself.
func syncDir(string) error { return nil }
