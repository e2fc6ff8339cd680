//go:build unix

package taxii

import (
	"syscall"
	"time"
)

// cpu is the processor time that this process has used: what a benchmark costs where others use the machine too.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
