package cli

import (
	"bytes"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// real runs one command of the real command line in this process.
func real(t *testing.T, home string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, talk bytes.Buffer
	env := func(k string) string {
		return map[string]string{"HOME": home, "AppData": home, "LocalAppData": home}[k]
	}
	code = Run(t.Context(), args, env, strings.NewReader(""), &out, &talk)
	return code, out.String(), talk.String()
}

// tamper changes a stopped node's store behind its back.
func tamper(t *testing.T, data, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(data, storeName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := db.Exec(statement)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s changed %d rows, %v", statement, n, err)
	}
}

// otherSignature changes one of the signature's digits.
const otherSignature = `UPDATE logs SET checkpoint = (SELECT CAST(substr(c, 1, n - 10) ||
	CASE substr(c, n - 9, 1) WHEN 'A' THEN 'B' ELSE 'A' END || substr(c, n - 8) AS BLOB)
	FROM (SELECT CAST(checkpoint AS TEXT) AS c, length(CAST(checkpoint AS TEXT)) AS n))`

func TestLogVerifyFindsTampering(t *testing.T) {
	home := t.TempDir()
	pass := filepath.Join(home, "pass")
	os.WriteFile(pass, []byte("a passphrase to write down\n"), 0o600)
	original := filepath.Join(home, "original")
	if code, _, talk := real(t, home, "alliance", "new", "east", "--data", original, "--kit-passphrase-file", pass); code != 0 {
		t.Fatalf("exit %d: %s", code, talk)
	}
	for _, tt := range []struct {
		name, statement string
		code            int
		want            string
	}{
		{"untouched", "UPDATE logs SET member = member", 0, " holds\n"},
		{"an entry's bit", "UPDATE entries SET data = x'00' || substr(data, 2)", 1, "inconsistent"},
		{"an entry gone", "DELETE FROM entries", 1, "inconsistent"},
		{"a tile's bit", "UPDATE tiles SET hashes = x'00' || substr(hashes, 2)", 1, "does not hash its entries"},
		{"a head of another size", "UPDATE logs SET size = size + 1", 1, "inconsistent"},
		{"a head with another signature", otherSignature, 1, "inconsistent"},
		{"no card", "DELETE FROM cards", 3, "not checked: no card is held"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "copy")
			if err := os.CopyFS(data, os.DirFS(original)); err != nil {
				t.Fatal(err)
			}
			tamper(t, data, tt.statement)
			code, out, talk := real(t, home, "log", "verify", "--data", data)
			if code != tt.code || !strings.Contains(out, tt.want) {
				t.Errorf("exit %d, stdout %q, stderr %q; want %d, %q", code, out, talk, tt.code, tt.want)
			}
			code, out, _ = real(t, home, "log", "verify", "--json", "--data", data)
			if code != tt.code || !strings.HasPrefix(out, `[{"log":"`) {
				t.Errorf("as JSON: exit %d, %q", code, out)
			}
		})
	}
}

// A node that is opened for one command does not hold its folder longer than that; the next one waits.
func TestCommandsFollowOneAnother(t *testing.T) {
	home := t.TempDir()
	pass := filepath.Join(home, "pass")
	os.WriteFile(pass, []byte("a passphrase to write down\n"), 0o600)
	data := filepath.Join(home, "n")
	if code, _, talk := real(t, home, "alliance", "new", "east", "--data", data, "--kit-passphrase-file", pass); code != 0 {
		t.Fatalf("exit %d: %s", code, talk)
	}
	done := make(chan string)
	const together = 4
	for range together {
		go func() {
			env := func(string) string { return home }
			var talk bytes.Buffer
			if code := Run(t.Context(), []string{"alliance", "show", "--data", data}, env, strings.NewReader(""), io.Discard, &talk); code == 0 {
				talk.Reset() // warnings
			}
			done <- talk.String()
		}()
	}
	for range together {
		if problem := <-done; problem != "" {
			t.Error(problem)
		}
	}
}

// TestLogVerifyMissesTheOwnLog: a store whose log lost its head is no healthy store.
func TestLogVerifyMissesTheOwnLog(t *testing.T) {
	home := t.TempDir()
	pass := filepath.Join(home, "pass")
	os.WriteFile(pass, []byte("a passphrase to write down\n"), 0o600)
	data := filepath.Join(home, "data")
	if code, _, talk := real(t, home, "alliance", "new", "east", "--data", data, "--kit-passphrase-file", pass); code != 0 {
		t.Fatalf("exit %d: %s", code, talk)
	}
	tamper(t, data, "UPDATE logs SET checkpoint = NULL")
	if code, _, talk := real(t, home, "log", "verify", "--data", data); code != 1 {
		t.Errorf("exit %d, %q", code, talk)
	}
}
