// Package eve reads Suricata's EVE records ("Eve JSON Format" of Suricata's user guide): JSON objects with an
// event_type. They keep their names, and get those of Sigma's taxonomy beside them.
//
// Logsource: product suricata, service the event_type, and a category for some:
//
//	event_type     category            further names (all: the table common)
//	dns            dns                 query, QueryName, record_type, answer
//	http           proxy               c-uri and its kin, cs-host, cs-method, c-useragent, sc-status ...
//	flow, netflow  network_connection
//	drop           firewall            action, blocked
//	alert                              action, blocked, and those of the protocol it was seen in
//
// The event's time is EVE's timestamp, its computer the sensor's name (host).
package eve

import (
	"strings"

	"shieldwall/internal/decode/taxonomy"
	"shieldwall/internal/event"
)

// Product is the product of the logsource.
const Product = "suricata"

const common = `
src_ip       SourceIp
src_port     SourcePort
dest_ip      DestinationIp dst_ip
dest_port    DestinationPort dst_port
proto        Protocol
tls.sni      server_name DestinationHostname
quic.sni     server_name DestinationHostname
tls.subject  certificate.subject
tls.issuerdn certificate.issuer
tls.serial   certificate.serial
ssh.client.software_version client
ssh.server.software_version server
fileinfo.filename Filename
fileinfo.md5      md5
fileinfo.sha1     sha1
fileinfo.sha256   sha256
smtp.mail_from    mailfrom
smtp.rcpt_to      rcptto
email.from        From
email.to          To
dcerpc.interfaces.uuid InterfaceUuid
alert.action      action
drop.reason       reason
`

// DNS records: version 2 has one answer flat or in answers, version 3 (Suricata 8) its questions in queries;
// grouped answers are by type.
const dns = `
dns.rrname         query QueryName
dns.queries.rrname query QueryName
dns.query.rrname   query QueryName
dns.rrtype         record_type qtype_name
dns.queries.rrtype record_type qtype_name
dns.query.rrtype   record_type qtype_name
dns.answers.rdata  answer answers
dns.rdata          answer answers
dns.grouped.A      answer answers
dns.grouped.AAAA   answer answers
dns.grouped.CNAME  answer answers
dns.grouped.TXT    answer answers
dns.grouped.MX     answer answers
dns.grouped.NS     answer answers
dns.rcode          rcode_name
`

const http = `
http.hostname         cs-host r-dns DestinationHostname
http.http_method      cs-method
http.http_user_agent  c-useragent cs-user-agent
http.http_refer       cs-referrer cs-referer
http.status           sc-status
http.protocol         cs-version
http.length           sc-bytes
http.cookie           cs-cookie
src_ip                c-ip
dest_ip               s-ip
dest_port             s-port
`

// kind is what a record tells about.
type kind struct {
	category string
	table    *taxonomy.Table
	web      bool
}

var (
	kinds = map[string]kind{
		"dns":     {category: "dns", table: taxonomy.New(common, dns)},
		"http":    {category: "proxy", table: taxonomy.New(common, http), web: true},
		"flow":    {category: "network_connection", table: other.table},
		"netflow": {category: "network_connection", table: taxonomy.New(common, "dest_port destination.port")},
		"drop":    {category: "firewall", table: other.table},
		"alert":   {table: taxonomy.New(common, dns, http), web: true},
	}
	other = kind{table: taxonomy.New(common)}
)

// Is tells from what an object has whether it is an EVE record.
func Is(has taxonomy.Marks) bool {
	return has&taxonomy.EventType != 0 && has&taxonomy.Timestamp != 0 &&
		has&(taxonomy.SrcIP|taxonomy.FlowID|taxonomy.SuricataStats) != 0
}

// Name gives an EVE record its logsource and its further names.
func Name(ev *event.Event) {
	service := taxonomy.Text(ev, "event_type")
	k, known := kinds[service]
	if !known {
		k = other
	}
	ev.Product, ev.Category, ev.Service = Product, k.category, service
	taxonomy.Computer(ev, taxonomy.Text(ev, "host"))
	k.table.Add(ev)
	if k.web {
		taxonomy.Request(ev, "http", taxonomy.Text(ev, "http.hostname"), taxonomy.Text(ev, "http.url"))
	}
	switch service {
	case "drop":
		taxonomy.Put(ev, "action", event.Str("drop"))
		taxonomy.Put(ev, "blocked", taxonomy.Bool(true))
	case "alert":
		taxonomy.Put(ev, "blocked", taxonomy.Bool(strings.EqualFold(taxonomy.Text(ev, "alert.action"), "blocked")))
	}
}
