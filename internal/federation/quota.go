package federation

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// Quota is how many entries of a member may still be read, or written by itself: as many a day as the roster says,
// saved up while it is quiet. The zero value is a member of which nothing was read yet.
type Quota struct {
	left float64 // entries; below zero after the last unit
	at   time.Time
}

// savedDays is for how many quiet days at most entries are saved up.
const savedDays = 30

const day = 24 * time.Hour

// Refill adds what time has brought. What a member published since it was listed may all be read at first: who
// joins late must be able to catch up.
func (q Quota) Refill(perDay uint64, listed, now time.Time) Quota {
	rate := float64(perDay)
	if q.at.IsZero() {
		return Quota{rate * (1 + max(0, now.Sub(listed).Hours()/24)), now}
	}
	gone := now.Sub(q.at)
	if gone <= 0 {
		return q // a clock that stepped back brings nothing
	}
	return Quota{min(q.left+rate*gone.Hours()/24, max(q.left, savedDays*rate)), now}
}

// Wait is how long it takes until the next entry; 0 where it may come now.
func (q Quota) Wait(perDay uint64) time.Duration {
	if q.left > 0 {
		return 0
	}
	days := (1 - q.left) / float64(perDay)
	return time.Duration(min(days, 365) * float64(day))
}

// Spend takes n entries.
func (q Quota) Spend(n int) Quota { return Quota{q.left - float64(n), q.at} }

// Bytes is the quota as it is kept: 8 bytes of a float64 and 8 of microseconds since 1970, big endian.
func (q Quota) Bytes() []byte {
	b := binary.BigEndian.AppendUint64(nil, math.Float64bits(q.left))
	return binary.BigEndian.AppendUint64(b, uint64(q.at.UnixMicro()))
}

// ParseQuota reads what Bytes wrote; nothing is the zero value.
func ParseQuota(b []byte) (Quota, error) {
	if len(b) == 0 {
		return Quota{}, nil
	}
	if len(b) != 16 {
		return Quota{}, errors.New("a quota of another length than 16 bytes")
	}
	q := Quota{math.Float64frombits(binary.BigEndian.Uint64(b)), time.UnixMicro(int64(binary.BigEndian.Uint64(b[8:])))}
	if math.IsNaN(q.left) || math.IsInf(q.left, 0) {
		return Quota{}, errors.New("a quota that is no number")
	}
	return q, nil
}
