package memberlog

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"shieldwall/internal/merkle"
)

// killRounds is how often TestKill kills; SHIELDWALL_KILLS asks for more.
const killRounds = 25

// TestKill appends in a child process and kills it with SIGKILL at random points, over and over on the same
// store and guard. Nothing acknowledged may be missing, the log must verify, and of what left the sequencer
// (shown, or found in the store afterwards) no two heads may contradict each other. A signature that died
// with its transaction never left; how many did is counted, to show that kills hit the middle of appends.
func TestKill(t *testing.T) {
	if dir := os.Getenv("SHIELDWALL_TEST_KILL_DIR"); dir != "" {
		appendForever(t, dir)
		return
	}
	rounds := killRounds
	if n, err := strconv.Atoi(os.Getenv("SHIELDWALL_KILLS")); err == nil {
		rounds = n
	}
	rng := rand.New(rand.NewPCG(uint64(rounds), 11))
	k := &killed{t: t, dir: t.TempDir(), acked: map[uint64]string{}, heads: map[uint64]merkle.Hash{}}
	for range rounds {
		k.round(time.Duration(rng.Int64N(int64(150 * time.Millisecond))))
	}
	k.finish()
	t.Logf("%d kills: %d entries acknowledged, %d in the log; %d kills with appends under way, %d after a signature that was not acknowledged; %d signatures died uncommitted",
		rounds, len(k.acked), k.size, k.interrupted, k.midway, k.died)
	if k.interrupted < rounds*3/4 || k.midway == 0 || len(k.acked) < rounds {
		t.Errorf("the kills hit nothing: %d of %d with appends under way, %d between signature and acknowledgement, %d entries acknowledged", k.interrupted, rounds, k.midway, len(k.acked))
	}
}

// killed is what the parent knows.
type killed struct {
	t     *testing.T
	dir   string
	acked map[uint64]string      // entry hashes by index
	heads map[uint64]merkle.Hash // roots by size, of heads that were shown or stored
	size  uint64

	interrupted, midway, died int
}

// round runs a child, kills it some time after it began to append and looks at what is left.
func (k *killed) round(after time.Duration) {
	k.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), "SHIELDWALL_TEST_KILL_DIR="+k.dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	begun, done, lastShown := 0, 0, uint64(0)
	signed := map[uint64]merkle.Hash{}
	var timer *time.Timer
	for r := bufio.NewReader(out); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			break // what is left of a line was not said
		}
		f := strings.Fields(line)
		switch {
		case len(f) == 1 && f[0] == "@open":
			timer = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		case len(f) == 1 && f[0] == "@begin":
			begun++
		case len(f) == 3 && f[0] == "@sign":
			signed[k.number(f[1])] = k.hash(f[2])
		case len(f) >= 4 && f[0] == "@done":
			done++
			lastShown = max(lastShown, k.number(f[2]))
			k.head(k.number(f[2]), k.hash(f[3]))
			for i, sum := range f[4:] {
				k.ack(k.number(f[1])+uint64(i), sum)
			}
		default:
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
	stored := k.inspect()
	for size, root := range signed {
		if size > lastShown {
			k.midway++
		}
		if size > stored {
			k.died++
		} else if held, ok := k.heads[size]; ok && held != root {
			k.t.Errorf("size %d was signed with another root than it was shown or stored", size)
		}
	}
}

// inspect opens what the child left, as its next start does, and verifies it whole.
func (k *killed) inspect() uint64 {
	k.t.Helper()
	s := newSite(k.t, k.dir)
	defer s.close()
	l, err := Open(context.Background(), s.cfg)
	if errors.Is(err, fs.ErrNotExist) && len(k.acked) == 0 {
		return 0 // killed before it was created
	}
	if err != nil {
		k.t.Fatal(err)
	}
	check1(k.t, l, l.Head().Size)
	k.head(l.Head().Size, l.Head().Root)
	if l.Head().Size < k.size {
		k.t.Fatalf("the log went back from %d to %d entries", k.size, l.Head().Size)
	}
	k.size = l.Head().Size
	return k.size
}

// finish reads the whole log and compares every entry acknowledged and every head ever seen with it.
func (k *killed) finish() {
	s := newSite(k.t, k.dir)
	l := s.open(k.t)
	tree := &merkle.Frontier{}
	compared := 0
	for tree.Size() < l.Head().Size {
		entries, err := l.Read(k.t.Context(), tree.Size(), 1<<20)
		if err != nil {
			k.t.Fatal(err)
		}
		for _, e := range entries {
			if want, ok := k.acked[tree.Size()]; ok {
				if fmt.Sprintf("%x", sha256.Sum256(e)) != want {
					k.t.Errorf("entry %d is not the one that was acknowledged", tree.Size())
				}
				compared++
			}
			tree.Append(merkle.LeafHash(e))
			if root, ok := k.heads[tree.Size()]; ok && root != tree.Root() {
				k.t.Errorf("the head of size %d is not of this log", tree.Size())
			}
		}
	}
	if compared != len(k.acked) {
		k.t.Errorf("%d of %d acknowledged entries are in the log", compared, len(k.acked))
	}
	start(k.t, l)
	mustAppend(k.t, l, entries(1))
}

func (k *killed) ack(index uint64, sum string) {
	if held, ok := k.acked[index]; ok && held != sum {
		k.t.Errorf("entry %d was acknowledged twice, differently", index)
	}
	k.acked[index] = sum
}

func (k *killed) head(size uint64, root merkle.Hash) {
	if held, ok := k.heads[size]; ok && held != root {
		k.t.Errorf("two heads of size %d", size)
	}
	k.heads[size] = root
}

func (k *killed) number(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		k.t.Fatal(err)
	}
	return n
}

func (k *killed) hash(s string) merkle.Hash {
	var h merkle.Hash
	if err := h.UnmarshalJSON([]byte(strconv.Quote(s))); err != nil {
		k.t.Fatal(err)
	}
	return h
}

// tellingSigner says what it signs before it does.
type tellingSigner struct{ note.Signer }

func (s tellingSigner) Sign(msg []byte) ([]byte, error) {
	cp, err := merkle.ParseCheckpoint(string(msg))
	if err != nil {
		return nil, err
	}
	tell("@sign %d %v", cp.Size, cp.Root)
	return s.Signer.Sign(msg)
}

// tell writes a line in one piece: what the parent reads was said before anything that follows.
func tell(format string, args ...any) {
	if _, err := fmt.Fprintf(os.Stdout, format+"\n", args...); err != nil {
		os.Exit(3) // the parent is gone
	}
}

// appendForever is the child.
func appendForever(t *testing.T, dir string) {
	s := newSite(t, dir)
	s.cfg.Signer = tellingSigner{s.cfg.Signer}
	l, err := Open(context.Background(), s.cfg)
	if errors.Is(err, fs.ErrNotExist) {
		l, _, err = Create(context.Background(), s.cfg, entries(1))
	}
	if err != nil {
		t.Fatal(err)
	}
	start(t, l)
	tell("@open")
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(w)))
			for {
				tell("@begin")
				var sums []string
				r, err := l.Append(context.Background(), func(_ tx, b *Batch) error {
					for range 1 + rng.IntN(3) {
						e := make([]byte, rng.IntN(1500))
						for i := range e {
							e[i] = byte(rng.Uint32())
						}
						if _, err := b.Append(e); err != nil {
							return err
						}
						sums = append(sums, fmt.Sprintf("%x", sha256.Sum256(e)))
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				tell("@done %d %d %v %s", r.First, r.Head.Size, r.Head.Root, strings.Join(sums, " "))
			}
		})
	}
	wg.Wait()
}
