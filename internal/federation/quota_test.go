package federation

import (
	"math"
	"testing"
	"time"
)

func TestQuota(t *testing.T) {
	listed := t0.Add(-10 * day)
	q := Quota{}.Refill(100, listed, t0)
	if q.Wait(100) != 0 {
		t.Fatal("nothing of a new member may be read")
	}
	q = q.Spend(1100) // ten days and this one
	if w := q.Wait(100); w < 14*time.Minute || w > 15*time.Minute {
		t.Errorf("the next entry comes after %v, want a hundredth of a day", w)
	}
	if got := q.Refill(100, listed, t0.Add(-time.Hour)); got != q {
		t.Error("a clock that stepped back brought something")
	}
	q = q.Refill(100, listed, t0.Add(time.Hour))
	if q.Wait(100) != 0 {
		t.Error("an hour brought nothing")
	}
	q = q.Spend(500)
	if w := q.Wait(100); w < 4*day || w > 5*day {
		t.Errorf("a debt of five days is paid after %v", w)
	}
	if q = q.Refill(100, listed, t0.Add(1000*day)).Spend(savedDays * 100); q.Wait(100) == 0 {
		t.Error("more than 30 days were saved up")
	}
	back, err := ParseQuota(q.Bytes())
	if err != nil || back.left != q.left || !back.at.Equal(q.at) {
		t.Errorf("%+v became %+v, %v", q, back, err)
	}
	if zero, err := ParseQuota(nil); err != nil || !zero.at.IsZero() {
		t.Error("nothing is not the zero value")
	}
	for _, bad := range [][]byte{make([]byte, 15), make([]byte, 17), Quota{math.NaN(), t0}.Bytes(), Quota{math.Inf(1), t0}.Bytes()} {
		if _, err := ParseQuota(bad); err == nil {
			t.Errorf("%x was read", bad)
		}
	}
}
