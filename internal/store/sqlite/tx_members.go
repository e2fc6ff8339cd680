package sqlite

import (
	"fmt"
	"time"
)

// RosterNote returns the roster note of a version; nil where it is not held.
func (t *Tx) RosterNote(version uint64) (note []byte, err error) {
	v, err := number("roster version", version)
	if err != nil {
		return nil, err
	}
	_, err = t.one("SELECT note FROM rosters WHERE version = $1", func(r row) { note = r.blob(0) }, v)
	return note, err
}

// PutRosterNote keeps a roster. A version is written once; another roster of the same version is an error.
func (t *Tx) PutRosterNote(version uint64, hash string, note []byte) error {
	v, err := number("roster version", version)
	if err != nil {
		return err
	}
	held := ""
	found, err := t.one("SELECT hash FROM rosters WHERE version = $1", func(r row) { held = r.text(0) }, v)
	if err != nil || found && held == hash {
		return err
	}
	if found {
		return fmt.Errorf("roster %d is held already, with hash %.64s instead of %.64s", version, held, hash)
	}
	_, err = t.exec("INSERT INTO rosters (version, hash, note) VALUES ($1, $2, $3)", v, hash, note)
	return err
}

// LastRoster returns the roster of the highest version; 0 and nil where there is none.
func (t *Tx) LastRoster() (version uint64, note []byte, err error) {
	_, err = t.one("SELECT version, note FROM rosters ORDER BY version DESC LIMIT 1", func(r row) { version, note = uint64(r.int(0)), r.blob(1) })
	return version, note, err
}

// DropRosters forgets every roster: this member joins another alliance.
func (t *Tx) DropRosters() error {
	_, err := t.exec("DELETE FROM rosters")
	return err
}

// CardNote returns a member's newest card; 0 and nil where there is none.
func (t *Tx) CardNote(member string) (sequence uint64, note []byte, err error) {
	_, err = t.one("SELECT sequence, note FROM cards WHERE member = $1", func(r row) { sequence, note = uint64(r.int(0)), r.blob(1) }, member)
	return sequence, note, err
}

// PutCardNote keeps a member's newest card; one older than the card held is an error.
func (t *Tx) PutCardNote(member string, sequence uint64, note []byte) error {
	s, err := number("card sequence", sequence)
	if err != nil {
		return err
	}
	n, err := t.exec(`INSERT INTO cards (member, sequence, note) VALUES ($1, $2, $3)
		ON CONFLICT (member) DO UPDATE SET sequence = excluded.sequence, note = excluded.note WHERE excluded.sequence >= cards.sequence`, member, s, note)
	if err == nil && n == 0 {
		err = fmt.Errorf("card %d of %s is older than the one held", sequence, member)
	}
	return err
}

type cardRow struct {
	member   string
	sequence uint64
	note     []byte
}

// EachCard calls fn for every member's newest card, by member.
func (t *Tx) EachCard(fn func(member string, sequence uint64, note []byte) error) error {
	return pages(t, func(last *cardRow) (rows []cardRow, err error) {
		after := ""
		if last != nil {
			after = last.member
		}
		err = t.query("SELECT member, sequence, note FROM cards WHERE member > $1 ORDER BY member LIMIT $2", func(r row) error {
			rows = append(rows, cardRow{r.text(0), uint64(r.int(1)), r.blob(2)})
			return nil
		}, after, pageRows)
		return rows, err
	}, func(c cardRow) error { return fn(c.member, c.sequence, c.note) })
}

// DropCards forgets every card: this member joins another alliance.
func (t *Tx) DropCards() error {
	_, err := t.exec("DELETE FROM cards")
	return err
}

// PutInvite keeps an invite by the hash of its secret.
func (t *Tx) PutInvite(hash []byte, name string, groups []string, expires time.Time) error {
	names, err := list(groups)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO invites (hash, name, groups, expires) VALUES ($1, $2, $3, $4)", hash, name, names, micros(expires))
	return err
}

// Invite returns an invite; card is nil until one is bound to it. The error wraps fs.ErrNotExist where there
// is no such invite.
func (t *Tx) Invite(hash []byte) (name string, groups []string, expires time.Time, card []byte, used bool, err error) {
	names := ""
	found, err := t.one("SELECT name, groups, expires, card, used FROM invites WHERE hash = $1", func(r row) {
		name, names, expires, card, used = r.text(0), r.text(1), fromMicros(r.int(2)), r.blob(3), r.bool(4)
	}, hash)
	switch {
	case err != nil:
	case !found:
		err = missing("invite %.4x…", hash)
	default:
		groups, err = fromList(names)
	}
	return name, groups, expires, card, used, err
}

// BindInvite binds an invite to the card that used it first, and says whether it is used up.
func (t *Tx) BindInvite(hash, card []byte, used bool) error {
	n, err := t.exec("UPDATE invites SET card = $2, used = $3 WHERE hash = $1", hash, orNull(card), used)
	if err == nil && n == 0 {
		err = missing("invite %.4x…", hash)
	}
	return err
}

// PutToken keeps an access token by its hash, and what sort of reader holds it. A name has one token: a second
// one replaces it.
func (t *Tx) PutToken(hash []byte, name, scope, reader string, expires time.Time) error {
	if t.c == nil {
		return ErrDone
	}
	_, err := t.exec(`INSERT INTO tokens (hash, name, scope, created, expires, reader) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, scope = excluded.scope, created = excluded.created, expires = excluded.expires, reader = excluded.reader`,
		hash, name, scope, micros(t.now()), micros(expires), reader)
	return err
}

// Token returns what a token allows; the error wraps fs.ErrNotExist where there is no such token. Whether it
// has expired is for the caller to see.
func (t *Tx) Token(hash []byte) (name, scope, reader string, expires time.Time, err error) {
	found, err := t.one("SELECT name, scope, reader, expires FROM tokens WHERE hash = $1", func(r row) {
		name, scope, reader, expires = r.text(0), r.text(1), r.text(2), fromMicros(r.int(3))
	}, hash)
	if err == nil && !found {
		err = missing("token")
	}
	return name, scope, reader, expires, err
}

type tokenRow struct {
	name, scope, reader string
	created, expires    time.Time
}

// EachToken calls fn for every token, by name.
func (t *Tx) EachToken(fn func(name, scope, reader string, created, expires time.Time) error) error {
	return pages(t, func(last *tokenRow) (rows []tokenRow, err error) {
		after := ""
		if last != nil {
			after = last.name
		}
		err = t.query("SELECT name, scope, reader, created, expires FROM tokens WHERE name > $1 ORDER BY name LIMIT $2", func(r row) error {
			rows = append(rows, tokenRow{r.text(0), r.text(1), r.text(2), fromMicros(r.int(3)), fromMicros(r.int(4))})
			return nil
		}, after, pageRows)
		return rows, err
	}, func(k tokenRow) error { return fn(k.name, k.scope, k.reader, k.created, k.expires) })
}

// DropToken forgets the token of that name; the error wraps fs.ErrNotExist where there is none.
func (t *Tx) DropToken(name string) error {
	n, err := t.exec("DELETE FROM tokens WHERE name = $1", name)
	if err == nil && n == 0 {
		err = missing("token %q", name)
	}
	return err
}
