package syslog

import (
	"slices"
	"strings"
)

// Facilities and severities by number (RFC 5424, 6.2.1, under the names of syslog(3)).
var (
	facilities = [...]string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
		"ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
	severities = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
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

// services gives those of a message, the most telling first.
func services(program, facility string) []string {
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
