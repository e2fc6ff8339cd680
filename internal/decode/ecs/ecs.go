// Package ecs reads events of the Elastic Common Schema (Elastic's ECS reference, 1.x to 8.x), as Beats, Elastic
// Agent and Logstash write them, nested or with dots in their keys. They keep their names, and get those of Sigma's
// taxonomy beside them. Windows logs of Winlogbeat are not meant here: jsonl knows them by winlog.*.
//
// event.category with event.type gives the category:
//
//	process   start process_creation, end process_termination
//	network   network_connection; of no computer (so it was a device between them) firewall; with dns.question dns
//	web       proxy; of a server's own log (apache, nginx, iis, tomcat) webserver
//	file      creation and change file_event, deletion file_delete
//	registry  registry_set; creation registry_add, deletion registry_delete
//	library   image_load          driver   driver_load
//
// The product is the operating system (host.os.type, else .family, .platform). event.dataset overrides it for
// sensors that have a Sigma product of their own: zeek.X, suricata.eve and aws.cloudtrail. Their events get the
// sensor's own names too, which rules for them ask for: those below zeek.X and suricata.eve without that prefix,
// and CloudTrail's by the table trail.
package ecs

import (
	"strings"

	"shieldwall/internal/decode/cloudtrail"
	"shieldwall/internal/decode/taxonomy"
	"shieldwall/internal/event"
)

const network = `
source.ip           SourceIp src_ip c-ip
source.address      SourceIp src_ip c-ip
source.port         SourcePort src_port
source.domain       SourceHostname
destination.ip      DestinationIp dst_ip s-ip
destination.address DestinationIp dst_ip s-ip
destination.port    DestinationPort dst_port s-port
destination.domain  DestinationHostname
network.transport   Protocol
dns.question.name   query QueryName
dns.question.type   record_type qtype_name
dns.answers.data    answer answers
dns.resolved_ip     answer answers
tls.client.server_name   server_name DestinationHostname
url.domain          cs-host r-dns DestinationHostname
http.request.method cs-method
http.request.referrer cs-referrer cs-referer
http.request.body.bytes cs-bytes
http.response.status_code sc-status
http.response.body.bytes  sc-bytes
http.version        cs-version
user_agent.original c-useragent cs-user-agent
user.name           cs-username
url.extension       c-uri-extension
event.action        action
email.from.address  From
email.to.address    To
email.sender.address Sender
email.subject       Subject
`

const host = `
process.executable              Image
process.command_line            CommandLine
process.pid                     ProcessId
process.entity_id               ProcessGuid
process.working_directory       CurrentDirectory
process.pe.original_file_name   OriginalFileName
process.pe.description          Description
process.pe.product              Product
process.pe.company              Company
process.pe.file_version         FileVersion
process.parent.executable       ParentImage
process.parent.command_line     ParentCommandLine
process.parent.pid              ParentProcessId
process.parent.entity_id        ParentProcessGuid
process.Ext.token.integrity_level_name IntegrityLevel
file.path                       TargetFilename
file.Ext.original.path          SourceFilename
file.hash.md5                   md5
file.hash.sha1                  sha1
file.hash.sha256                sha256
dll.path                        ImageLoaded
registry.path                   TargetObject
registry.data.strings           Details
`

const trail = `
event.action        eventName
event.provider      eventSource
event.id            eventID
aws.cloudtrail.error_code     errorCode
aws.cloudtrail.error_message  errorMessage
aws.cloudtrail.event_type     eventType
aws.cloudtrail.event_version  eventVersion
cloud.region        awsRegion
source.ip           sourceIPAddress
source.address      sourceIPAddress
user_agent.original userAgent
aws.cloudtrail.user_identity.type userIdentity.type
aws.cloudtrail.user_identity.arn  userIdentity.arn
user.name           userIdentity.userName
aws.cloudtrail.user_identity.session_context.session_issuer.type userIdentity.sessionContext.sessionIssuer.type
aws.cloudtrail.user_identity.session_context.session_issuer.arn  userIdentity.sessionContext.sessionIssuer.arn
aws.cloudtrail.request_parameters    requestParameters
aws.cloudtrail.response_elements     responseElements
aws.cloudtrail.additional_eventdata  additionalEventData
`

var (
	names  = taxonomy.New(host, network)
	trails = taxonomy.New(trail)
)

// Is tells from what an object has whether it is an ECS event.
func Is(has taxonomy.Marks) bool {
	return has&taxonomy.ECSVersion != 0 || has&taxonomy.AtTimestamp != 0 && has&taxonomy.EventFacts != 0
}

// Name gives an event its logsource and its further names. Its time is @timestamp, which the JSON decoder knows.
func Name(ev *event.Event) {
	taxonomy.Computer(ev, either(ev, "host.hostname", "host.name"))
	f := factsOf(ev)
	if f.dataset == "aws.cloudtrail" {
		trails.Add(ev)
		cloudtrail.Name(ev)
		return
	}
	ev.Category = f.category()
	ev.Product, ev.Service = f.logsource(ev)
	if ev.Category == "network_connection" {
		switch {
		case ev.Product == "":
			ev.Category = "firewall"
		case sensors[ev.Product] && ev.Service != "conn" && ev.Service != "flow":
			ev.Category = "" // a sensor has one log of connections; its others tell of the same ones
		}
	}
	if f.dataset == "suricata.eve" {
		taxonomy.Lift(ev, "suricata.eve.")
	} else if strings.HasPrefix(f.dataset, "zeek.") {
		taxonomy.Lift(ev, f.dataset+".")
	}
	names.Add(ev)
	f.add(ev)
}

// facts are what routes an event.
type facts struct {
	categories, types event.Value
	dataset           string
	dns, web, hash    bool
}

func factsOf(ev *event.Event) (f facts) {
	for i := range ev.Fields {
		switch field := &ev.Fields[i]; field.Name {
		case "event.category":
			f.categories = field.Value
		case "event.type":
			f.types = field.Value
		case "event.dataset", "data_stream.dataset":
			f.dataset = strings.ToLower(taxonomy.First(field.Value))
		case "dns.question.name":
			f.dns = true
		case "http.request.method", "url.original", "url.full", "url.path":
			f.web = true
		default:
			f.hash = f.hash || strings.Contains(field.Name, "hash.") || strings.HasSuffix(field.Name, ".imphash")
		}
	}
	return f
}

func has(v event.Value, word string) bool {
	if v.Kind != event.List {
		return strings.EqualFold(v.Text, word)
	}
	for _, item := range v.Items {
		if strings.EqualFold(item.Text, word) {
			return true
		}
	}
	return false
}

// servers are the modules that ship the logs of web servers.
var servers = []string{"apache", "nginx", "iis", "tomcat", "apache_tomcat"}

func (f *facts) category() string {
	is := func(word string) bool { return has(f.categories, word) }
	typed := func(word string) bool { return has(f.types, word) }
	module, _, _ := strings.Cut(f.dataset, ".")
	for _, server := range servers {
		if module == server && f.web {
			return "webserver"
		}
	}
	switch {
	case is("process") && typed("start"):
		return "process_creation"
	case is("process") && typed("end"):
		return "process_termination"
	case is("registry") && typed("creation"):
		return "registry_add"
	case is("registry") && typed("deletion"):
		return "registry_delete"
	case is("registry") && !typed("access"):
		return "registry_set"
	case is("file") && (typed("creation") || typed("change")):
		return "file_event"
	case is("file") && typed("deletion"):
		return "file_delete"
	case is("driver"):
		return "driver_load"
	case is("library"):
		return "image_load"
	case f.dns:
		return "dns"
	case is("web") || is("network") && f.web:
		return "proxy"
	case is("network"):
		return "network_connection"
	}
	return ""
}

// sensors are products that watch the wire.
var sensors = map[string]bool{"zeek": true, "suricata": true}

// logsource gives the product and service of an event.
func (f *facts) logsource(ev *event.Event) (product, service string) {
	module, rest, _ := strings.Cut(f.dataset, ".")
	switch module {
	case "zeek":
		if rest == "connection" {
			rest = "conn"
		}
		return "zeek", rest
	case "suricata":
		return "suricata", taxonomy.Text(ev, "suricata.eve.event_type")
	case "apache", "nginx":
		return "", module
	}
	for _, name := range [...]string{"host.os.type", "host.os.family", "host.os.platform"} {
		if product = taxonomy.System(taxonomy.Text(ev, name)); product != "" {
			return product, ""
		}
	}
	return "", ""
}

// add names what takes more than a second name.
func (f *facts) add(ev *event.Event) {
	if user := taxonomy.Text(ev, "user.name"); user != "" {
		if domain := taxonomy.Text(ev, "user.domain"); domain != "" {
			user = domain + `\` + user
		}
		taxonomy.Put(ev, "User", event.Str(user))
	}
	if f.hash {
		addHashes(ev)
	}
	switch strings.ToLower(taxonomy.Text(ev, "network.direction")) {
	case "egress", "outbound", "outgoing":
		taxonomy.Put(ev, "Initiated", taxonomy.Bool(true))
	case "ingress", "inbound", "incoming":
		taxonomy.Put(ev, "Initiated", taxonomy.Bool(false))
	}
	if denied := has(f.types, "denied"); denied || has(f.types, "allowed") {
		taxonomy.Put(ev, "blocked", taxonomy.Bool(denied))
	}
	if f.web {
		addRequest(ev)
	}
}

// addHashes writes the fingerprints of what the event is about as Sysmon writes Hashes.
func addHashes(ev *event.Event) {
	var b strings.Builder
	for _, owner := range [...]string{"process.", "dll.", "file."} {
		for _, algorithm := range [...]string{"md5", "sha1", "sha256"} {
			taxonomy.AppendHash(&b, algorithm, taxonomy.Text(ev, owner+"hash."+algorithm))
		}
		taxonomy.AppendHash(&b, "imphash", taxonomy.Text(ev, owner+"pe.imphash"))
		if b.Len() > 0 {
			taxonomy.Put(ev, "Hashes", event.Str(b.String()))
			return
		}
	}
}

func addRequest(ev *event.Event) {
	target := either(ev, "url.original", "url.full", "url.path")
	if query := taxonomy.Text(ev, "url.query"); query != "" && !strings.Contains(target, "?") {
		target += "?" + query
	}
	scheme := taxonomy.Text(ev, "url.scheme")
	if scheme == "" {
		scheme = "http"
	}
	taxonomy.Request(ev, scheme, taxonomy.Text(ev, "url.domain"), target)
}

// either gives the first of some fields that has text.
func either(ev *event.Event, names ...string) string {
	for _, name := range names {
		if text := taxonomy.Text(ev, name); text != "" {
			return text
		}
	}
	return ""
}
