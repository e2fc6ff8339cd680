package taxonomy

import (
	"net/netip"
	"slices"
	"strings"
)

// programServices are Sigma's services for Linux by the program that writes; every message is one of syslog
// too, as /var/log/syslog holds them all. A program that is not here has that alone, and auth or cron if its
// facility says so.
var programServices = map[string][]string{
	"sshd": {"sshd", "auth"}, "sshd-session": {"sshd", "auth"}, "sshd-auth": {"sshd", "auth"},
	"sudo": {"sudo", "auth"}, "su": {"su", "auth"}, "login": {"auth"}, "pkexec": {"auth"}, "polkitd": {"auth"},
	"systemd-logind": {"auth"}, "passwd": {"auth"}, "chpasswd": {"auth"}, "useradd": {"auth"}, "usermod": {"auth"},
	"userdel": {"auth"}, "groupadd": {"auth"}, "groupdel": {"auth"}, "gpasswd": {"auth"}, "gdm-password": {"auth"},
	"cron": {"cron"}, "crond": {"cron"}, "crontab": {"cron"}, "anacron": {"cron"}, "atd": {"cron"},
	"vsftpd": {"vsftpd"}, "guacd": {"guacamole"}, "guacamole": {"guacamole"},
	"clamd": {"clamav"}, "clamav": {"clamav"}, "freshclam": {"clamav"}, "clamscan": {"clamav"}, "clamonacc": {"clamav"},
	"apache2": {"apache"}, "httpd": {"apache"}, "nginx": {"nginx"},
}

// LinuxServiceNames lists all that LinuxServices can give.
func LinuxServiceNames() []string {
	out := []string{"syslog"}
	for _, names := range programServices {
		out = append(out, names...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// LinuxServices gives those of a message, the most telling first.
func LinuxServices(program, facility string) []string {
	program = strings.ToLower(program[strings.LastIndexByte(program, '/')+1:])
	out := slices.Clone(programServices[program])
	add := func(name string) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	switch facility {
	case "auth", "authpriv":
		add("auth")
	case "cron":
		add("cron")
	}
	add("syslog")
	return out
}

// Sudo reads "ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND=/bin/sh -c x ; y" (sudoers(5), LOG FORMAT).
func Sudo(text string, put func(name, value string)) {
	user, rest, ok := strings.Cut(text, " : ")
	if !ok {
		return
	}
	put("User", strings.TrimSpace(user))
	for rest != "" {
		part, after, _ := strings.Cut(rest, " ; ")
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "COMMAND": // the last, and it may hold anything
			_, value, _ = strings.Cut(rest, "COMMAND=")
			put(name, value)
			return
		case "TTY", "PWD", "USER", "GROUP", "CHROOT":
			put(name, value)
		}
		rest = after
	}
}

// SSHD reads "... for [invalid user ]NAME from ADDRESS port N ...".
func SSHD(text string, put func(name, value string)) {
	before, rest, ok := cutLast(text, " from ")
	if !ok {
		return
	}
	address, rest, _ := strings.Cut(rest, " ")
	if _, err := netip.ParseAddr(address); err != nil {
		return
	}
	put("SourceIp", address)
	if rest, ok := strings.CutPrefix(rest, "port "); ok {
		port, _, _ := strings.Cut(rest, " ")
		put("SourcePort", port)
	}
	if _, user, ok := strings.Cut(before, " for "); ok {
		put("User", strings.TrimPrefix(user, "invalid user "))
	}
}

// cutLast cuts at the last place: a login's name is the attacker's to choose and may hold " from " itself.
func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
