package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"

	"shieldwall/internal/config"
	"shieldwall/internal/memberlog"
	"shieldwall/internal/merkle"
	"shieldwall/internal/roster"
	"shieldwall/internal/store/sqlite"
)

// Names in the data folder and in its store, as the node has them.
const (
	lockName  = "lock"
	storeName = "shieldwall.db"

	metaMember = "member"
	metaLog    = "log"
)

// logCheck is what `log verify` says of one log.
type logCheck struct {
	Log    string `json:"log"`
	Member string `json:"member"`
	Size   uint64 `json:"size"` // entries that the signed head covers and that hash to its root
	Root   string `json:"root,omitempty"`
	Tiles  int    `json:"tiles"`
	// Unchecked says why it could not be checked, Error what does not hold.
	Unchecked string `json:"unchecked,omitempty"`
	Error     string `json:"error,omitempty"`
}

func newLogVerify() *command {
	return &command{
		name:  "log verify",
		short: "verify the own log and the mirrors of a data folder, offline",
		long: `Reads every log that the data folder holds, this member's own and its allies', and checks it whole: the
head's signature by the key in the member's card, every entry's hash, every tile and the root. It asks nobody, and
nobody's word is taken for it. No node may run on the folder meanwhile: stop it, or verify a copy.`,
		exits: "0 every log holds\n1 one does not\n2 usage, or could not run\n3 one could not be checked: no card is held that has its key",
		run: func(ctx context.Context, p *program, _ []string) error {
			cfg, err := config.Load(p.flags, p.host)
			if err != nil {
				return err
			}
			checks, err := verifyLogs(ctx, cfg.Data)
			if err != nil {
				return err
			}
			if p.json {
				err = p.printJSON(checks)
			} else {
				err = p.showLogs(checks)
			}
			return errors.Join(err, verdict(checks))
		},
	}
}

// verdict is the exit code: a log that does not hold weighs more than one that could not be checked.
func verdict(checks []logCheck) error {
	code := exitOK
	for _, c := range checks {
		switch {
		case c.Error != "":
			return &exit{code: exitFindings}
		case c.Unchecked != "":
			code = exitPartial
		}
	}
	if code != exitOK {
		return &exit{code: code}
	}
	return nil
}

func (p *program) showLogs(checks []logCheck) error {
	rows := [][]string{}
	for _, c := range checks {
		verdict := "holds"
		if c.Error != "" {
			verdict = c.Error
		} else if c.Unchecked != "" {
			verdict = "not checked: " + c.Unchecked
		}
		rows = append(rows, []string{c.Log, fmt.Sprint(c.Size), orDash(c.Root), verdict})
	}
	return p.table([]string{"LOG", "ENTRIES", "ROOT", "VERDICT"}, rows)
}

// verifyLogs checks every log of a data folder that nobody else has open.
func verifyLogs(ctx context.Context, data string) (_ []logCheck, err error) {
	path := filepath.Join(data, storeName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no node", data)
	}
	lock := flock.New(filepath.Join(data, lockName), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking the data folder: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("%w: stop the node on %s, or verify a copy", ErrInUse, data)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	store, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	logs, keys, err := logsAndKeys(ctx, store)
	if err != nil {
		return nil, fmt.Errorf("reading which logs there are: %w", err)
	}
	for i := range logs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		logs[i] = verifyLog(ctx, store, logs[i], keys)
	}
	return logs, nil
}

// logsAndKeys lists the logs that have a head, and the keys that the cards held give for them.
func logsAndKeys(ctx context.Context, store *sqlite.Store) (logs []logCheck, keys map[string]roster.Key, err error) {
	keys = map[string]roster.Key{}
	err = store.View(ctx, func(tx *sqlite.Tx) error {
		err := tx.EachCard(func(_ string, _ uint64, note []byte) error {
			c, err := roster.ParseCard(note)
			if err == nil {
				keys[c.LogID()] = c.Log // a log's id is the hash of its key, so no card can give a wrong one
			}
			return err
		})
		if err != nil {
			return err
		}
		if err := tx.EachLog(func(log, member string, _ uint64, _ []byte) error {
			logs = append(logs, logCheck{Log: log, Member: member})
			return nil
		}); err != nil {
			return err
		}
		own, err := ownLog(tx)
		if err == nil && !slices.ContainsFunc(logs, func(c logCheck) bool { return c.Log == own.Log }) {
			own.Error = "this member's own log has no signed head"
			logs = append(logs, own)
		}
		return err
	})
	return logs, keys, err
}

// ownLog is the log that this member writes.
func ownLog(tx *sqlite.Tx) (logCheck, error) {
	member, err := tx.Meta(metaMember)
	if err != nil {
		return logCheck{}, err
	}
	key, err := tx.Meta(metaLog)
	if err != nil {
		return logCheck{}, err
	}
	return logCheck{Log: merkle.LogID(string(member), key), Member: string(member)}, nil
}

func verifyLog(ctx context.Context, store *sqlite.Store, c logCheck, keys map[string]roster.Key) logCheck {
	key, ok := keys[c.Log]
	if !ok {
		c.Unchecked = "no card is held that has this log's key"
		return c
	}
	verifier, err := merkle.NewVerifier(c.Log, key.Key)
	if err != nil {
		c.Error = err.Error()
		return c
	}
	r, err := memberlog.Check(ctx, store.View, c.Log, verifier)
	if err != nil {
		c.Error = err.Error()
		return c
	}
	c.Size, c.Tiles, c.Root = r.Size, r.Tiles, base64.StdEncoding.EncodeToString(r.Root[:])
	return c
}
