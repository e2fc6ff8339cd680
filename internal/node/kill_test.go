package node

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"shieldwall/internal/control"
	"shieldwall/internal/memberlog"
	"shieldwall/internal/merkle"
	"shieldwall/internal/peer"
	"shieldwall/internal/store/sqlite"
)

// How often TestKill kills; SHIELDWALL_KILLS asks for more.
const (
	killRounds      = 25
	killRoundsShort = 8
)

// Where the child of TestKill finds its node.
const (
	envKillDir  = "SHIELDWALL_TEST_NODE_DIR"
	envKillPeer = "SHIELDWALL_TEST_NODE_PEER"
)

// TestKill publishes in a node that is a process of its own and kills it with SIGKILL at random points, over
// and over. Every entry that was acknowledged is there afterwards with the same bytes and its object held, the
// log verifies and is continued, and an ally that keeps asking for the head never sees two of one size.
func TestKill(t *testing.T) {
	if dir := os.Getenv(envKillDir); dir != "" {
		publishForever(t, dir, os.Getenv(envKillPeer))
		return
	}
	rounds := killRounds
	if testing.Short() {
		rounds = killRoundsShort
	}
	if n, err := strconv.Atoi(os.Getenv("SHIELDWALL_KILLS")); err == nil {
		rounds = n
	}
	k := newKilled(t)
	watched, unwatch := context.WithCancel(t.Context())
	var watcher sync.WaitGroup
	watcher.Go(func() { k.watch(watched) })
	rng := rand.New(rand.NewPCG(uint64(rounds), 5))
	for range rounds {
		k.round(time.Duration(rng.Int64N(int64(250 * time.Millisecond))))
	}
	k.finish()
	unwatch()
	watcher.Wait()
	k.compareHeads()
	t.Logf("%d kills, %d with publications under way: %d publications acknowledged, %d entries in the log, %d heads seen by the ally",
		rounds, k.interrupted, len(k.acked), k.size, len(k.heads))
	if k.interrupted < rounds*3/4 || len(k.acked) < rounds {
		t.Errorf("the kills hit nothing: %d of %d with publications under way, %d acknowledged", k.interrupted, rounds, len(k.acked))
	}
	if len(k.heads) < rounds/2 {
		t.Errorf("the ally saw %d heads only", len(k.heads))
	}
}

// killed is what the parent knows.
type killed struct {
	t     *testing.T
	dir   string
	alpha *member // the node that the child runs; opened here only before and after
	beta  *member

	log, address string
	key          note.Verifier

	acked       map[uint64]ack
	size        uint64
	interrupted int

	mu    sync.Mutex // guards heads, which the watcher fills
	heads map[uint64]merkle.Hash
}

// ack is what a publication's acknowledgement said.
type ack struct{ object, sum string }

// newKilled makes an alliance of two; then the first one's life is the child's.
func newKilled(t *testing.T) *killed {
	t.Helper()
	k := &killed{t: t, dir: t.TempDir(), acked: map[uint64]ack{}, heads: map[uint64]merkle.Hash{}}
	k.alpha = newMemberIn(t, k.dir, "alpha").start().found()
	k.beta = k.alpha.join("beta", states)
	allLive(t, k.alpha, k.beta)
	k.log, k.address = k.alpha.n.LogID(), k.alpha.peer
	var err error
	if k.key, err = merkle.NewVerifier(k.log, k.alpha.n.current.Load().me.log); err != nil {
		t.Fatal(err)
	}
	k.alpha.halt()
	return k
}

// watch asks for the head again and again, as any ally may.
func (k *killed) watch(ctx context.Context) {
	pins, at := k.beta.n.current.Load().roll.Now().Pins("alpha"), []string{"https://" + k.address}
	c := peer.NewClient(k.beta.n.cert, func() []string { return at }, func() []string { return pins }, &peer.Meter{})
	defer c.Close()
	for ctx.Err() == nil {
		msg, err := c.Checkpoint(ctx, k.log)
		if err != nil {
			time.Sleep(time.Millisecond) // it is dead just now
			continue
		}
		cp, _, err := merkle.OpenCheckpoint(msg, k.key)
		if err != nil {
			k.t.Errorf("the ally was shown a head that does not verify: %v", err)
			return
		}
		k.head(cp.Size, cp.Root)
	}
}

func (k *killed) head(size uint64, root merkle.Hash) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if held, ok := k.heads[size]; ok && held != root {
		k.t.Errorf("the ally was shown two heads of size %d", size)
	}
	k.heads[size] = root
}

// round runs a child, kills it some time after its first publication and looks at what is left.
func (k *killed) round(after time.Duration) {
	k.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), envKillDir+"="+k.dir, envKillPeer+"="+k.address)
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	begun, done := 0, 0
	var timer *time.Timer
	for r := bufio.NewReader(out); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			break // what is left of a line was not said
		}
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "@ready":
			if f[1] != k.log {
				k.t.Fatalf("the child writes %s after %s: an ordinary crash is no doubt", f[1], k.log)
			}
			if _, err := Open(context.Background(), k.alpha.opt); !errors.Is(err, ErrInUse) {
				k.t.Fatalf("a folder that another process owns was opened: %v", err)
			}
			timer = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		case len(f) == 1 && f[0] == "@begin":
			begun++
		case len(f) == 4 && f[0] == "@done":
			done++
			k.ack(f[1], ack{f[2], f[3]})
		default:
			_ = cmd.Process.Kill()
			k.t.Fatalf("the child said %q", line)
		}
	}
	err = cmd.Wait()
	if timer == nil || err == nil || cmd.ProcessState.ExitCode() != -1 {
		k.t.Fatalf("the child ended by itself: %v\n%s", err, stderr.String())
	}
	if begun > done {
		k.interrupted++
	}
	k.inspect()
}

func (k *killed) ack(at string, a ack) {
	index, err := strconv.ParseUint(at, 10, 64)
	if err != nil {
		k.t.Fatal(err)
	}
	if held, ok := k.acked[index]; ok {
		k.t.Errorf("entry %d was acknowledged for %s and for %s", index, held.object, a.object)
	}
	k.acked[index] = a
}

// inspect verifies the log as the dead process left it.
func (k *killed) inspect() {
	k.t.Helper()
	ctx := context.Background()
	s, err := sqlite.Open(ctx, filepath.Join(k.alpha.opt.Config.Data, storeFile), sqlite.Options{})
	if err != nil {
		k.t.Fatal(err)
	}
	r, err := memberlog.Check[*sqlite.Tx](ctx, s.View, k.log, k.key)
	if err != nil || r.Size < k.size {
		k.t.Fatalf("the log of %d entries, %d before: %v", r.Size, k.size, err)
	}
	k.size = r.Size
	err = s.View(ctx, func(tx *sqlite.Tx) error {
		for index, a := range k.acked {
			raw, err := tx.Entry(k.log, index)
			if err != nil {
				return fmt.Errorf("entry %d, which was acknowledged: %w", index, err)
			}
			if sum(raw) != a.sum {
				return fmt.Errorf("entry %d has other bytes than were acknowledged", index)
			}
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		k.t.Fatal(err)
	}
}

func sum(raw []byte) string { return fmt.Sprintf("%x", sha256.Sum256(raw)) }

// finish starts the node once more: all that was acknowledged is held, live, and reaches the ally.
func (k *killed) finish() {
	k.t.Helper()
	k.alpha.restart()
	if k.alpha.n.LogID() != k.log || k.alpha.warns("incarnation") {
		k.t.Errorf("the log is %s after %s: %q", k.alpha.n.LogID(), k.log, k.alpha.status().Warnings)
	}
	k.alpha.publish("green", nil, rule(1<<30, "after all the kills"))
	k.size = k.alpha.verify().Size
	k.alpha.caughtUp(k.beta)
	k.beta.verifyMirror(k.alpha)
	for _, m := range []*member{k.alpha, k.beta} {
		for index, a := range k.acked {
			if held, err := m.n.Holds(k.t.Context(), a.object); err != nil || !held {
				k.t.Errorf("%s does not hold %s of entry %d: %v", m.name, a.object, index, err)
			}
		}
		if got := m.status(); got.Rules < len(k.acked)+1 || int64(got.Rules) != got.Objects {
			k.t.Errorf("%s has %d rules live of %d objects, %d were acknowledged", m.name, got.Rules, got.Objects, len(k.acked)+1)
		}
	}
	if s := k.beta.sees("alpha"); s.Problem != "" || len(k.beta.status().Rejected) != 0 {
		k.t.Errorf("the ally has remarks: %+v, %v", s, k.beta.status().Rejected)
	}
}

// compareHeads holds every head that the ally was shown to the log as it is now.
func (k *killed) compareHeads() {
	k.t.Helper()
	tree, seen := &merkle.Frontier{}, 0
	for i := range k.size {
		raw, err := k.alpha.n.RawEntry(k.t.Context(), k.log, i)
		if err != nil {
			k.t.Fatal(err)
		}
		tree.Append(merkle.LeafHash(raw))
		if root, ok := k.heads[tree.Size()]; ok {
			seen++
			if root != tree.Root() {
				k.t.Errorf("the head of size %d that the ally was shown is not of this log", tree.Size())
			}
		}
	}
	if seen != len(k.heads) {
		k.t.Errorf("%d of %d heads that the ally was shown lie within the log of %d", seen, len(k.heads), k.size)
	}
}

// publishForever is the child: a whole node, and several callers that share rule after rule.
func publishForever(t *testing.T, dir, listen string) {
	m := newMemberIn(t, dir, "alpha", func(o *Options) {
		o.Passphrase = nil
		o.Config.Peer.Listen = listen
	}).start()
	tell("@ready %s", m.n.LogID())
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(w)))
			for {
				tell("@begin")
				n := int(rng.Int64N(1e12))
				res, err := m.n.Publish(context.Background(), control.PublishRequest{
					TLP: "green", Files: []control.File{rule(n, fmt.Sprintf("needle-%d %s", n, strings.Repeat("x", rng.IntN(2000))))},
				})
				if err != nil || len(res.Entries) != 1 {
					t.Errorf("%+v, %v", res, err)
					return
				}
				at := res.Entries[0]
				raw, err := m.n.RawEntry(context.Background(), at.Log, at.Index)
				if err != nil {
					t.Error(err)
					return
				}
				tell("@done %d %s %s", at.Index, at.Objects[0].ID, sum(raw))
			}
		})
	}
	workers.Wait()
}

// tell writes a line in one piece: what the parent reads was said before anything that follows.
func tell(format string, args ...any) {
	if _, err := fmt.Fprintf(os.Stdout, format+"\n", args...); err != nil {
		os.Exit(3) // the parent is gone
	}
}
