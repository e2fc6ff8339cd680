package scan

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAuditRecordings: the corpus's two recordings of auditd, in their archives, meet the rules for auditd
// and for process creation.
func TestAuditRecordings(t *testing.T) {
	got := run(t, Options{Rules: []string{corpus(t, "sigma", "rules", "linux")}, Paths: []string{corpus(t, "otrf", "atomic", "linux")}})
	if got.err != nil || got.Events != 18 || got.Files != 2 || got.Skipped != 0 || got.Errors != 0 {
		t.Fatalf("%+v, %v", got.Stats, got.err)
	}
	found := map[string]bool{}
	for _, d := range got.detections {
		found[d.Title] = true
		t.Log(d.Title, d.Source, d.Record)
	}
	for _, title := range []string{"Binary Padding - Linux", "Linux Remote System Discovery"} {
		if !found[title] {
			t.Errorf("%q was not found", title)
		}
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const anyShell = `title: a shell
id: 6a2b9a3e-6a0c-4a38-9d4b-1d2d3f4a5b6c
status: test
logsource: {product: linux, category: process_creation}
detection: {selection: {Image|endswith: /sh}, condition: selection}
level: low
`

// TestBrokenAuditLines: what is broken costs its line, is named up to a bound, and counted.
func TestBrokenAuditLines(t *testing.T) {
	const broken = maxBadLines + 5
	text := "type=CWD msg=audit(1.0:1): cwd=\"/\"\n" + strings.Repeat("rubbish\n", broken)
	var problems []string
	st, err := Run(t.Context(), Options{
		Rules: []string{write(t, "rule.yml", anyShell)}, Paths: []string{write(t, "audit.log", text)},
		Out: io.Discard, Now: time.Now, OnProblem: func(p Problem) { problems = append(problems, p.Err.Error()) },
	})
	if err != nil || st.Errors != broken || st.Events != 1 || len(problems) != maxBadLines+1 {
		t.Fatalf("%+v, %d problems, %v", st, len(problems), err)
	}
	if problems[0] != "line 2: not an audit record" || problems[maxBadLines] != "5 more lines or events could not be read" {
		t.Errorf("%q ... %q", problems[0], problems[maxBadLines])
	}
}

// TestSyslogAndXML: the rule base's rules for services and for processes meet syslog, and Sysmon for Linux in
// it and in a file of XML.
func TestSyslogAndXML(t *testing.T) {
	const process = `<Event><System><Provider Name="Linux-Sysmon"/><EventID>1</EventID><Channel>Linux-Sysmon/Operational</Channel></System>` +
		`<EventData><Data Name="Image">/usr/bin/dd</Data><Data Name="CommandLine">dd if=/dev/zero of=/dev/sda bs=512</Data></EventData></Event>`
	messages := "Oct 11 22:14:15 h1 vsftpd[7]: Connection refused: too many sessions for this address.\n" +
		"Oct 11 22:14:16 h1 sshd[8]: fatal: buffer_get_string: bad string\n" +
		"<86>1 2024-05-01T10:00:00Z h1 pkexec 9 - - The value for environment variable XAUTHORITY contains suspicious content [USER=root] [TTY=/dev/pts/0]\n" +
		"Oct 11 22:14:17 h1 sysmon: " + process + "\n" +
		"no header\n"
	rules := []string{corpus(t, "sigma", "rules", "linux"), corpus(t, "sigma", "rules-emerging-threats")}
	got := run(t, Options{Rules: rules, Paths: []string{write(t, "messages", messages), write(t, "export.xml", "<Events>"+process+"</Events>")}})
	if got.err != nil || got.Events != 5 || got.Files != 2 || got.Errors != 1 {
		t.Fatalf("%+v, %v", got.Stats, got.err)
	}
	found := map[string]int{}
	for _, d := range got.detections {
		found[d.Title]++
	}
	for title, want := range map[string]int{
		"Suspicious VSFTPD Error Messages": 1, "Suspicious OpenSSH Daemon Error": 1, "DD File Overwrite": 2,
		"PwnKit Local Privilege Escalation": 1,
	} {
		if found[title] != want {
			t.Errorf("%q fired %d times, want %d", title, found[title], want)
		}
	}
	if t.Failed() {
		t.Log(found)
	}
}
