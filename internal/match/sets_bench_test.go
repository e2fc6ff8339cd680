package match

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"shieldwall/internal/event"
	"shieldwall/internal/indicator"
)

const (
	manyValues = 10_000_000
	listValues = 500_000
)

// numbered makes the nth indicator of a mix: half domains, a quarter each of addresses and hashes.
func numbered(n int) indicator.Indicator {
	switch n % 4 {
	case 0:
		addr := netip.AddrFrom4([4]byte{byte(11 + n>>24), byte(n >> 16), byte(n >> 8), byte(n)})
		p := netip.PrefixFrom(addr, 32)
		return indicator.Indicator{Type: indicator.Network, Value: p.String(), Prefix: p}
	case 1:
		sum := sha256.Sum256([]byte(strconv.Itoa(n)))
		return indicator.Indicator{Type: indicator.SHA256, Value: hex.EncodeToString(sum[:])}
	}
	return indicator.Indicator{Type: indicator.Domain, Value: "host" + strconv.Itoa(n) + ".example", Subdomains: n%8 < 4}
}

func numberedUnit(id string, from, n int) *unit {
	u := &unit{Compiled: Compiled{Key: Key{Publisher: "bravo", ID: id}}}
	u.indicators = make([]indicator.Indicator, n)
	for i := range u.indicators {
		u.indicators[i] = numbered(from + i)
	}
	return u
}

// manySets holds ten million values in lists; made once.
var manySets = sync.OnceValue(func() indicatorSets {
	var s indicatorSets
	for from := 0; from < manyValues; from += listValues {
		s = s.edit([]*unit{numberedUnit(fmt.Sprint("list", from), from, listValues)}, nil, time.Now())
	}
	runtime.GC()
	return s
})

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func rss() float64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseFloat(strings.Fields(string(data))[1], 64)
	return pages * float64(os.Getpagesize())
}

// BenchmarkIndicatorMemory is the heap that an indicator costs, all in: ten million in lists, and a
// million that have a key each.
func BenchmarkIndicatorMemory(b *testing.B) {
	b.Run("lists", func(b *testing.B) {
		before := heap()
		s := manySets()
		for b.Loop() {
			b.ReportMetric((heap()-before)/float64(s.count), "heap-B/indicator")
			b.ReportMetric(float64(s.values.Bytes())/float64(s.count), "set-B/indicator")
			b.ReportMetric(float64(s.count), "indicators")
		}
		runtime.KeepAlive(s)
	})
	b.Run("single objects", func(b *testing.B) {
		const objects, batch = 1_000_000, 1024
		before := heap()
		e := New(time.Now)
		for from := 0; from < objects; from += batch {
			var add []Compiled
			for n := from; n < min(from+batch, objects); n++ {
				add = append(add, Compiled{Key: Key{Publisher: "bravo", ID: fmt.Sprintf("indicator--00000000-0000-4000-8000-%012d", n)},
					indicators: []indicator.Indicator{numbered(n)}})
			}
			e.Update(add, nil)
		}
		for b.Loop() {
			b.ReportMetric((heap()-before)/objects, "heap-B/indicator")
		}
		runtime.KeepAlive(e)
	})
}

// BenchmarkIndicatorLookup looks domains up among ten million values.
func BenchmarkIndicatorLookup(b *testing.B) {
	s := manySets()
	for _, hit := range []bool{true, false} {
		b.Run(fmt.Sprintf("hit=%v", hit), func(b *testing.B) {
			var values [][]byte
			for i := range 1 << 16 {
				n := i * 149 / 4 * 4
				text := "host" + strconv.Itoa(n+2) + ".example"
				if !hit {
					text = "miss" + text
				}
				values = append(values, []byte(text))
			}
			b.ReportAllocs()
			i, met := 0, 0
			for b.Loop() {
				met += len(s.values.Find(s.values.Key(uint8(indicator.Domain), values[i&(1<<16-1)])))
				i++
			}
			if (met > 0) != hit {
				b.Fatalf("%d met", met)
			}
		})
	}
}

// BenchmarkIndicatorUpdate makes one object, and 100,000 indicators, live beside ten million values.
func BenchmarkIndicatorUpdate(b *testing.B) {
	s := manySets()
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				u := numberedUnit("new", manyValues, n)
				b.StartTimer()
				if next := s.edit([]*unit{u}, nil, time.Now()); next.count != s.count+n {
					b.Fatalf("%d values", next.count)
				}
			}
		})
	}
}

// benchEvents are events of the shapes that recordings are full of.
func benchEvents() []*event.Event {
	var out []*event.Event
	for i := range 1000 {
		ev := &event.Event{}
		for _, f := range [][2]string{
			{"EventID", "1"}, {"Channel", "Microsoft-Windows-Sysmon/Operational"}, {"Computer", "ws1.corp.example"}, {"User", `CORP\a`},
			{"Image", fmt.Sprintf(`C:\Program Files\App%d\app%d.exe`, i, i)}, {"ParentImage", `C:\Windows\System32\svchost.exe`},
			{"CommandLine", fmt.Sprintf(`"C:\Program Files\App%d\app%d.exe" --url=https://update%d.vendor.example/v1 -p 10.0.%d.1`, i, i, i, i%256)},
			{"Hashes", fmt.Sprintf("MD5=%032x,SHA256=%064x,IMPHASH=%032x", i, i*7, i*3)}, {"DestinationIp", fmt.Sprintf("10.1.%d.7", i%256)},
			{"QueryName", fmt.Sprintf("www%d.cdn.vendor.example", i)}, {"ProcessGuid", "{00000000-0000-0000-0000-000000000000}"}, {"ProcessId", "4711"},
		} {
			ev.Fields = append(ev.Fields, event.Field{Name: f[0], Value: event.Str(f[1])})
		}
		out = append(out, ev)
	}
	return out
}

// BenchmarkIndicatorMatch is what indicators add to an event that meets none: with ten, and with ten
// million.
func BenchmarkIndicatorMatch(b *testing.B) {
	few := indicatorSets{}.edit([]*unit{numberedUnit("few", 0, 10)}, nil, time.Now())
	for _, lane := range []struct {
		name string
		sets indicatorSets
	}{{"none", indicatorSets{}}, {"ten", few}, {"ten million", manySets()}} {
		for _, slots := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/slots=%v", lane.name, slots), func(b *testing.B) {
				events, sets := benchEvents(), lane.sets
				if slots {
					names := new(event.Names)
					sets = sets.bound(names)
					for _, ev := range events {
						ev.Names = names
						for i := range ev.Fields {
							ev.Fields[i].Slot = names.Slot(ev.Fields[i].Name)
						}
					}
				}
				b.ReportAllocs()
				now, i, met := time.Now(), 0, 0
				for b.Loop() {
					met += len(sets.match(events[i%len(events)], now, nil))
					i++
				}
				b.ReportMetric(float64(met)/float64(i), "hits/event")
			})
		}
	}
	b.Run("rss", func(b *testing.B) {
		for b.Loop() {
			b.ReportMetric(rss()/1e6, "MB-rss")
		}
	})
}
