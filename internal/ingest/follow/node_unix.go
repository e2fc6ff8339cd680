//go:build unix

package follow

import (
	"io/fs"
	"strconv"
	"syscall"
)

// nodeOf names a file's place on its disk: device and inode.
func nodeOf(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return strconv.FormatUint(uint64(st.Dev), 16) + ":" + strconv.FormatUint(uint64(st.Ino), 16)
}
