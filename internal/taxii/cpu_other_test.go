//go:build !unix

package taxii

import "time"

func cpu() time.Duration { return 0 }
