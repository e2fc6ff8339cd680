package exchange

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shieldwall/internal/entry"
	"shieldwall/internal/merkle"
)

// history appends so many entries of which every 50th is for everybody, the others for nobody here.
func history(w *author, n int) {
	first := int(w.size())
	w.open(1, w.member, "me")
	w.open(2, w.member)
	var entries [][]byte
	index := w.size()
	for i := first; len(entries) < n; i++ {
		e := w.sealedCheaply(2, index)
		if i%50 == 0 {
			e = w.sealed(1, index, objects(indicator(w.member, i)))
		}
		entries = append(entries, e)
		index++
	}
	w.append(entries...)
}

// sealedCheaply is an entry that looks sealed; nobody here has its key.
func (w *author) sealedCheaply(epoch, index uint64) []byte {
	return must(entry.Entry{Header: entry.Header{Kind: entry.KindSealed, Epoch: epoch}, Body: fmt.Appendf(make([]byte, 0, 300), "%0300d", index)}.Bytes())
}

// long is a history worth tiles; longer is one of several thousand entries.
const (
	long   = 1000
	longer = 4000
)

func TestCatchUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		history(w, longer)
		p := newPeer(al, w)
		n := newNode(t, al, p)
		biggest := 0
		n.onUnit = func(entries int) { biggest = max(biggest, entries) }
		n.start()
		synctest.Wait()
		size := w.size()
		n.check(w, size)
		if m := n.status("a"); m.State != "live" || m.Applied != size || m.Head != size {
			t.Fatalf("%+v", m)
		}
		if got := n.liveCount(); got != longer/50 {
			t.Fatalf("%d of %d live: %v", got, longer/50, n.x.Rejected())
		}
		// One bundle and one tile for 256 entries, and the few tiles above.
		if calls := p.count("resource"); calls > 2*(longer/256+1)+8 {
			t.Fatalf("%d requests for %d entries", calls, size)
		}
		if biggest == 0 || biggest > unitEntries {
			t.Fatalf("a transaction of %d entries", biggest)
		}
		before := p.count("resource")
		w.share(1, objects(indicator("a", 1)))
		synctest.Wait()
		if !n.isLive("a", 1) || p.count("resource") != before {
			t.Fatal("the live stream did not go on after the catch-up")
		}
		n.check(w, size+1)
	})
}

// TestCatchUpInterrupted cuts a catch-up off, at several points, and restarts the process: what was committed
// stays, and what comes next is fetched alone.
func TestCatchUpInterrupted(t *testing.T) {
	for _, cut := range []int{1, 2} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				al := newAlliance("me", "a")
				w := newAuthor(al, "a", "log 1")
				history(w, long)
				p := newPeer(al, w)
				var fetched []string
				p.tamper = func(path string, data []byte) []byte {
					if strings.HasPrefix(path, "tile/entries/") {
						if len(fetched) == cut {
							p.down = errGone
						}
						fetched = append(fetched, path)
					}
					return data
				}
				n := newNode(t, al, p)
				n.start()
				synctest.Wait()
				m := n.status("a")
				if m.State != "unreachable" || m.Size == 0 || m.Size >= w.size() || m.Head != w.size() {
					t.Fatalf("after the cut: %+v", m)
				}
				n.restart()
				if p.count("checkpoint") < 1 || len(fetched) != cut+1 {
					t.Fatalf("fetched %v", fetched)
				}
				w.share(1, objects(indicator("a", 1)))
				p.with(func() { p.down, fetched = nil, nil; cut = -1 })
				time.Sleep(time.Minute)
				n.check(w, w.size())
				if got := n.liveCount() + int(m.Size/50); n.status("a").State != "live" || !n.isLive("a", 1) || got < long/50 {
					t.Fatalf("%d live, %+v", got, n.status("a"))
				}
				if want := merkle.BundlePath(m.Size/merkle.TileWidth, merkle.TileWidth); fetched[0] != want {
					t.Fatalf("began again at %s, %d entries were held: want %s", fetched[0], m.Size, want)
				}
			})
		})
	}
}

// TestCatchUpLies has tiles and bundles lie at several points of a catch-up: nothing unproven is kept.
func TestCatchUpLies(t *testing.T) {
	flip := func(data []byte) []byte {
		data[len(data)-1] ^= 1
		return data
	}
	cases := map[string]struct {
		path string // prefix
		skip int    // requests of it that are answered truly
		do   func([]byte) []byte
		want string
	}{
		"first bundle":  {"tile/entries/", 0, flip, "not the one that it covers"},
		"later bundle":  {"tile/entries/", 3, flip, "not the one that it covers"},
		"cut bundle":    {"tile/entries/", 2, func(d []byte) []byte { return d[:len(d)-1] }, "bundle ends"},
		"longer bundle": {"tile/entries/", 2, func(d []byte) []byte { return append(d, 0, 0) }, "after its"},
		"empty bundle":  {"tile/entries/", 0, func([]byte) []byte { return nil }, "bundle ends"},
		"leaf tile":     {"tile/0/", 3, flip, "inconsistent"},
		"upper tile":    {"tile/1/", 0, flip, "inconsistent"},
		"short tile":    {"tile/1/", 0, func(d []byte) []byte { return d[:31] }, "bytes, not"},
		"huge tile":     {"tile/1/", 0, func(d []byte) []byte { return make([]byte, maxTile+1) }, "too large"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				al := newAlliance("me", "a")
				w := newAuthor(al, "a", "log 1")
				history(w, long)
				p := newPeer(al, w)
				lied, asked := 0, 0
				p.tamper = func(path string, data []byte) []byte {
					if !strings.HasPrefix(path, c.path) {
						return data
					}
					if asked++; asked <= c.skip {
						return data
					}
					lied++
					return c.do(data)
				}
				n := newNode(t, al, p)
				n.start()
				synctest.Wait()
				m := n.status("a")
				if lied == 0 || m.State == "live" || !strings.Contains(m.Problem, c.want) {
					t.Fatalf("lied %d times: %+v", lied, m)
				}
				if m.Size > uint64(c.skip+1)*merkle.TileWidth || c.skip > 2 && m.Size == 0 {
					t.Fatalf("%d entries kept", m.Size)
				}
				p.with(func() { p.tamper = nil })
				time.Sleep(time.Minute)
				n.check(w, w.size())
				if n.status("a").State != "live" {
					t.Fatalf("after the truth: %+v", n.status("a"))
				}
			})
		})
	}
}

// TestEquivocation shows another continuation, properly signed, to a follower in the middle of a catch-up.
func TestEquivocation(t *testing.T) {
	for name, forkAt := range map[string]int{"within what is held": 100, "within what was signed": long - 100} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				al := newAlliance("me", "a")
				w := newAuthor(al, "a", "log 1")
				history(w, long)
				other := newAuthor(al, "a", "log 1")
				other.append(w.entries[1:forkAt]...)
				history(other, 2*long)
				p := newPeer(al, w)
				bundles := 0
				p.tamper = func(path string, data []byte) []byte {
					if strings.HasPrefix(path, "tile/entries/") {
						if bundles++; bundles == 3 {
							p.down = errGone
						}
					}
					return data
				}
				n := newNode(t, al, p)
				n.start()
				synctest.Wait()
				held := n.status("a").Size
				if held < 100 || held > long-100 {
					t.Fatalf("%d entries are held before the fork", held)
				}
				p.with(func() { p.log, p.down, p.tamper = other, nil, nil })
				time.Sleep(2 * time.Minute)
				m := n.status("a")
				if m.Size != held || m.State != "refused" || !strings.Contains(m.Problem, "does not continue") {
					t.Fatalf("%+v", m)
				}
				// Its first history is still the one that counts.
				p.with(func() { p.log = w })
				time.Sleep(time.Minute)
				n.check(w, w.size())
			})
		})
	}
}

// TestGrowsWhileCatchingUp appends during the catch-up, so that the tiles of its head are partial no more.
func TestGrowsWhileCatchingUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		history(w, long)
		p := newPeer(al, w)
		grew := 0
		p.tamper = func(path string, data []byte) []byte {
			if grew < 60 {
				grew++
				w.share(1, objects(indicator("a", 100_000+grew)), objects(indicator("a", 200_000+grew)))
			}
			return data
		}
		n := newNode(t, al, p)
		n.start()
		synctest.Wait()
		if m := n.status("a"); grew == 0 || m.State != "live" || !n.isLive("a", 200_000+grew) {
			t.Fatalf("grew %d times: %+v", grew, m)
		}
		n.check(w, w.size())
	})
}

// TestGapBeyondABatch lets a follower lack few entries that are large: too few for tiles to be worth while, too
// much for one batch. The stream alone would never bring them.
func TestGapBeyondABatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		p := newPeer(al, w)
		p.max = 2000
		n := newNode(t, al, p)
		n.start()
		synctest.Wait()
		w.append(append(w.opening(1, 1, "a", "me"), w.sealedCheaply(1, 0), w.sealedCheaply(1, 1))...)
		w.share(1, objects(indicator("a", 1)))
		synctest.Wait()
		if m := n.status("a"); m.State != "live" || !n.isLive("a", 1) {
			t.Fatalf("%+v", m)
		}
		n.check(w, w.size())
		if streams := p.count("stream"); streams > 3 {
			t.Fatalf("%d streams", streams)
		}
	})
}

// TestBulkIsCut shows that a large publication is not one transaction.
func TestBulkIsCut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		al := newAlliance("me", "a")
		w := newAuthor(al, "a", "log 1")
		n := newNode(t, al, newPeer(al, w))
		n.start()
		synctest.Wait()
		w.open(1, "a", "me")
		var payloads []entry.Payload
		const each, entries = 40, 20
		for i := range entries {
			var list []string
			for j := range each {
				list = append(list, indicator("a", i*each+j))
			}
			payloads = append(payloads, objects(list...))
		}
		w.share(1, payloads...)
		synctest.Wait()
		if n.liveCount() != entries*each {
			t.Fatalf("%d live", n.liveCount())
		}
		for _, changes := range n.units {
			if changes > unitSteps+each {
				t.Fatalf("units %v", n.units)
			}
		}
		if len(n.units) < entries*each/(unitSteps+each) {
			t.Fatalf("units %v", n.units)
		}
		n.check(w, w.size())
	})
}
