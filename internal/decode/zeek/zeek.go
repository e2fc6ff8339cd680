// Package zeek reads Zeek's logs: its tab-separated files (TSV) and its JSON objects. Records keep Zeek's names
// and get those of Sigma's taxonomy beside them; the tables below are the map.
//
// Logsource: product zeek, service the log's name (conn, dns, http, dce_rpc ...), and a category for some: dns is
// dns, http is proxy, conn is network_connection. The name is that of _path or #path, else the one that the file's
// name starts with (conn.2024-03-05-10-00-00.log.gz), else it is guessed from fields that only one log has.
//
// Both forms give the same events: in TSV an unset field is absent, as JSON leaves it out; T and F are
// booleans, sets and vectors lists. Bytes that Zeek escapes are decoded where that gives text; other bytes keep
// their \xHH, as Zeek's JSON writes them too and rules expect.
package zeek

import (
	"strconv"
	"strings"
	"time"

	"shieldwall/internal/decode/taxonomy"
	"shieldwall/internal/event"
)

// Product is the product of the logsource.
const Product = "zeek"

const common = `
id.orig_h SourceIp src_ip
id.orig_p SourcePort src_port
id.resp_h DestinationIp dst_ip
id.resp_p DestinationPort dst_port
proto     Protocol
`

const dns = `
query      QueryName
qtype_name record_type
answers    answer
`

const http = `
host              cs-host r-dns DestinationHostname
method            cs-method
user_agent        c-useragent cs-user-agent
referrer          cs-referrer cs-referer
status_code       sc-status
version           cs-version
username          cs-username
request_body_len  cs-bytes
response_body_len sc-bytes
id.orig_h         c-ip
id.resp_h         s-ip
id.resp_p         s-port
`

// kind is one of Zeek's logs.
type kind struct {
	category string
	table    *taxonomy.Table
}

// kinds are the logs whose names a file may hint at ("Log Files" of Zeek's manual), with what they tell.
var kinds = func() map[string]kind {
	plain := taxonomy.New(common)
	out := map[string]kind{
		"conn":      {"network_connection", plain},
		"dns":       {"dns", taxonomy.New(common, dns)},
		"http":      {"proxy", taxonomy.New(common, http)},
		"ssl":       {"", taxonomy.New(common, "server_name DestinationHostname")},
		"smtp":      {"", taxonomy.New(common, "from From\nto To\nsubject Subject")},
		"ntlm":      {"", taxonomy.New(common, "username User\nhostname SourceHostname")},
		"files":     {"", taxonomy.New(common, "filename Filename\ntx_hosts src_ip SourceIp\nrx_hosts dst_ip DestinationIp")},
		"smb_files": {"", taxonomy.New(common, "name Filename")},
		"dhcp":      {"", taxonomy.New(common, "client_addr src_ip SourceIp\nserver_addr dst_ip DestinationIp\nhost_name SourceHostname")},
		"notice":    {"", taxonomy.New(common, "src src_ip SourceIp\ndst dst_ip DestinationIp\np DestinationPort dst_port")},
		"intel":     {"", plain},
	}
	for name := range strings.FieldsSeq(`analyzer capture_loss cluster conn_long dce_rpc dnp3 dpd ftp irc kerberos known_certs
		known_devices known_hosts known_services ldap ldap_search modbus mqtt_connect mqtt_publish mqtt_subscribe mysql
		ntp ocsp pe postgresql quic radius rdp redis reporter rfb signatures sip smb_cmd smb_mapping snmp socks software
		ssh stats syslog telnet traceroute tunnel weird websocket x509`) {
		out[name] = kind{"", plain}
	}
	return out
}()

// Hint gives the log that a source's name speaks of: conn.log, dns.2024-03-05-10-00-00.log.gz,
// ssl_20240305_10:00:00-11:00:00+0000.log.gz. It is empty where the name is none of a log: stats.json may be
// anybody's.
func Hint(source string) string {
	base := source[strings.LastIndexAny(source, `/\!`)+1:]
	name, rest, _ := strings.Cut(base, ".")
	if !strings.Contains("."+rest, ".log") {
		return ""
	}
	if _, known := kinds[name]; known {
		return name
	}
	for i := 1; i+1 < len(name); i++ {
		if (name[i] == '_' || name[i] == '-') && name[i+1]-'0' <= 9 {
			name = name[:i]
		}
	}
	name = strings.TrimSuffix(name, "_red") // reduced logs of some sensors
	if _, known := kinds[name]; known {
		return name
	}
	return ""
}

// Is tells from what an object has whether it is a record of Zeek's; hint is what Hint said of its source.
func Is(has taxonomy.Marks, hint string) bool {
	if has&taxonomy.ZeekTime == 0 {
		return false
	}
	return hint != "" || has&(taxonomy.ZeekPath|taxonomy.ZeekFile|taxonomy.ZeekCert) != 0 ||
		has&(taxonomy.ZeekUID|taxonomy.ZeekOrig) == taxonomy.ZeekUID|taxonomy.ZeekOrig
}

// Name gives a JSON record of Zeek's its time, its logsource and its further names.
func Name(ev *event.Event, hint string) {
	log := strings.TrimSuffix(taxonomy.Text(ev, "_path"), "_red")
	if log == "" {
		log = hint
	}
	if log == "" {
		log = guess(ev)
	}
	name(ev, log)
}

// name is Name for a log that is known.
func name(ev *event.Event, log string) {
	ev.Product, ev.Service = Product, log
	if t, ok := parseTime(taxonomy.Text(ev, "ts")); ok {
		ev.Time = t
	}
	taxonomy.Computer(ev, taxonomy.Text(ev, "_system_name"))
	k, known := kinds[log]
	if !known {
		k = kinds["intel"]
	}
	ev.Category = k.category
	k.table.Add(ev)
	if log == "http" {
		taxonomy.Request(ev, "http", taxonomy.Text(ev, "host"), taxonomy.Text(ev, "uri"))
	}
}

// sign is a log and the fields, all of which it alone has.
type sign struct {
	log  string
	need uint64 // bits of signBits
}

// signBits number the fields of signs.
var signBits = map[string]uint{}

// signs tell the log of a JSON record that does not say it; the first that holds counts.
var signs = func() (out []sign) {
	for line := range strings.Lines(`
conn         conn_state
dns          qtype_name
dns          query trans_id
http         trans_depth method
http         status_code host
ssl          cipher version
ssl          server_name
smtp         helo
dce_rpc      endpoint operation
kerberos     request_type till
kerberos     request_type cipher
smb_mapping  share_type
smb_files    action times.modified
smb_files    action path
ntlm         domainname
ntlm         server_nb_computer_name
rdp          security_protocol
rdp          cookie result
ssh          auth_attempts
ssh          server client
ftp          command reply_code
dhcp         msg_types
x509         certificate.serial
pe           machine subsystem
files        mime_type fuid
files        analyzers fuid
intel        seen.indicator
notice       note msg
weird        name notice
tunnel       tunnel_type
dpd          failure_reason
snmp         community
sip          call_id
radius       ttl result
irc          nick
modbus       func
syslog       facility severity
`) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		s := sign{log: words[0]}
		for _, name := range words[1:] {
			if _, known := signBits[name]; !known {
				signBits[name] = uint(len(signBits))
			}
			s.need |= 1 << signBits[name]
		}
		out = append(out, s)
	}
	return out
}()

func guess(ev *event.Event) string {
	var has uint64
	for i := range ev.Fields {
		if bit, ok := signBits[ev.Fields[i].Name]; ok {
			has |= 1 << bit
		}
	}
	for _, s := range signs {
		if has&s.need == s.need {
			return s.log
		}
	}
	return ""
}

// parseTime reads ts: seconds since 1970 with a fraction, or ISO 8601 (JSON::TS_ISO8601).
func parseTime(text string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		t, err := time.Parse(time.RFC3339Nano, text)
		return t.UTC(), err == nil
	}
	const year9999 = 253402300799
	if sec < 0 || sec > year9999 {
		return time.Time{}, false
	}
	var nanos int64
	if fraction != "" {
		if len(fraction) > 9 {
			fraction = fraction[:9]
		}
		if nanos, err = strconv.ParseInt(fraction, 10, 64); err != nil || nanos < 0 {
			return time.Time{}, false
		}
		for range 9 - len(fraction) {
			nanos *= 10
		}
	}
	return time.Unix(sec, nanos).UTC(), true
}
