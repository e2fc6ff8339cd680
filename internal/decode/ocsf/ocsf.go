// Package ocsf reads events of the Open Cybersecurity Schema Framework (schema.ocsf.io, 1.0 to 1.5): JSON objects
// with a class_uid and a metadata.version. They keep their names, and get those of Sigma's taxonomy beside them.
//
// The class gives the category; activity_id narrows it:
//
//	1001 file system      1 create file_event, 3 update file_event, 4 delete file_delete, 5 rename file_rename
//	1005 module           image_load
//	1007 process          1 launch process_creation, 2 terminate process_termination, 3 open process_access
//	201001 registry key   1 registry_add, 4 registry_delete, 5 registry_rename
//	201002 registry value 1, 2 registry_set, 4 registry_delete
//	4001 network          network_connection; of no device's system (VPC flow logs, firewalls) firewall, blocked
//	4002 HTTP             proxy
//	4003 DNS              dns
//	6003 API, 3xxx identity   of CloudTrail: product aws, service cloudtrail, under CloudTrail's own names
//
// The product is that of the device's operating system (windows, linux, macos) where the event has one. The time is
// time (milliseconds since 1970), the computer device.hostname.
package ocsf

import (
	"strconv"
	"strings"
	"time"

	"shieldwall/internal/decode/cloudtrail"
	"shieldwall/internal/decode/taxonomy"
	"shieldwall/internal/event"
)

const common = `
src_endpoint.ip                SourceIp src_ip
src_endpoint.port              SourcePort src_port
src_endpoint.hostname          SourceHostname
dst_endpoint.ip                DestinationIp dst_ip
dst_endpoint.port              DestinationPort dst_port
dst_endpoint.hostname          DestinationHostname
connection_info.protocol_name  Protocol
actor.user.name                User
email.from                     From
email.to                       To
email.smtp_from                mailfrom
email.smtp_to                  rcptto
email.subject                  Subject
`

// process is a process that something happened to.
const process = `
process.file.path               Image
process.path                    Image
process.cmd_line                CommandLine
process.pid                     ProcessId
process.uid                     ProcessGuid
process.user.name               User
process.working_directory       CurrentDirectory
process.integrity               IntegrityLevel
process.file.company_name       Company
process.file.desc               Description
process.file.internal_name      OriginalFileName
process.session.uid             LogonId
process.parent_process.file.path ParentImage
process.parent_process.cmd_line ParentCommandLine
process.parent_process.pid      ParentProcessId
process.parent_process.uid      ParentProcessGuid
`

// launch is who started it.
const launch = `
actor.process.file.path         ParentImage
actor.process.cmd_line          ParentCommandLine
actor.process.pid               ParentProcessId
actor.process.uid               ParentProcessGuid
actor.process.user.name         ParentUser
`

// access is a process that opened another.
const access = `
actor.process.file.path  SourceImage
actor.process.pid        SourceProcessId
actor.process.uid        SourceProcessGuid
process.file.path        TargetImage
process.pid              TargetProcessId
process.uid              TargetProcessGuid
actual_permissions       GrantedAccess
`

// actor is what a process did to something else.
const actor = `
actor.process.file.path  Image
actor.process.path       Image
actor.process.cmd_line   CommandLine
actor.process.pid        ProcessId
actor.process.uid        ProcessGuid
actor.process.user.name  User
actor.process.parent_process.file.path ParentImage
actor.process.parent_process.cmd_line  ParentCommandLine
file.path                TargetFilename
file_result.path         TargetFilename
module.file.path         ImageLoaded
reg_key.path             TargetObject
reg_value.data           Details
query.hostname           query QueryName
query.type               record_type
answers.rdata            answer answers
http_request.http_method       cs-method
http_request.user_agent        c-useragent cs-user-agent
http_request.referrer          cs-referrer cs-referer
http_request.version           cs-version
http_request.url.hostname      cs-host r-dns DestinationHostname
http_response.code             sc-status
http_status                    sc-status
src_endpoint.ip                c-ip
dst_endpoint.ip                s-ip
dst_endpoint.port              s-port
`

// trail is CloudTrail as its own records have it (OCSF's mapping of CloudTrail, as in Security Lake).
const trail = `
api.operation          eventName
api.service.name       eventSource
api.response.error     errorCode
api.response.message   errorMessage
api.request.uid        requestID
cloud.region           awsRegion
metadata.uid           eventID
metadata.event_code    eventType
src_endpoint.ip        sourceIPAddress
src_endpoint.domain    sourceIPAddress
http_request.user_agent userAgent
actor.user.type        userIdentity.type
actor.user.uid_alt     userIdentity.principalId
actor.user.uid         userIdentity.arn
actor.user.name        userIdentity.userName
actor.session.issuer   userIdentity.sessionContext.sessionIssuer.arn
`

var (
	launches  = taxonomy.New(process, launch, common)
	processes = taxonomy.New(process, common)
	accesses  = taxonomy.New(access, common)
	acts      = taxonomy.New(actor, common)
	trails    = taxonomy.New(trail, common)
	plain     = taxonomy.New(common)
)

// Is tells from what an object has whether it is an OCSF event.
func Is(has taxonomy.Marks) bool {
	const both = taxonomy.ClassUID | taxonomy.SchemaVersion
	return has&both == both
}

// Name gives an event its time, its logsource and its further names.
func Name(ev *event.Event) {
	class, activity := taxonomy.Text(ev, "class_uid"), taxonomy.Text(ev, "activity_id")
	if ms, err := strconv.ParseInt(taxonomy.Text(ev, "time"), 10, 64); err == nil && ms > 0 && ms < year9999 {
		ev.Time = time.UnixMilli(ms).UTC()
	} else if t, err := time.Parse(time.RFC3339Nano, taxonomy.Text(ev, "time_dt")); err == nil {
		ev.Time = t.UTC()
	}
	taxonomy.Computer(ev, taxonomy.Text(ev, "device.hostname"))
	if strings.EqualFold(taxonomy.Text(ev, "metadata.product.name"), "CloudTrail") {
		nameTrail(ev)
		return
	}
	ev.Product = taxonomy.System(taxonomy.Text(ev, "device.os.type"))
	if ev.Product == "" {
		ev.Product = systems[taxonomy.Text(ev, "device.os.type_id")]
	}
	ev.Category = categories[class+"/"+activity]
	if ev.Category == "" {
		ev.Category = categories[class]
	}
	switch class {
	case "1007":
		switch activity {
		case "1":
			launches.Add(ev)
		case "3":
			accesses.Add(ev)
		default:
			processes.Add(ev)
		}
		hashes(ev, "process.file.hashes")
	case "1001", "1005", "201001", "201002", "4001", "4002", "4003":
		acts.Add(ev)
		hashes(ev, "module.file.hashes")
		hashes(ev, "file.hashes")
		nameAct(ev, class)
	default:
		plain.Add(ev)
	}
}

// year9999 is the last moment that a time may name, in milliseconds.
const year9999 = 253402300799999

// systems are the numbers of device.os.type_id.
var systems = map[string]string{"100": "windows", "200": "linux", "300": "macos"}

// categories of a class, or of one of its activities.
var categories = map[string]string{
	"1001/1": "file_event", "1001/3": "file_event", "1001/4": "file_delete", "1001/5": "file_rename",
	"1005":   "image_load",
	"1007/1": "process_creation", "1007/2": "process_termination", "1007/3": "process_access",
	"201001/1": "registry_add", "201001/4": "registry_delete", "201001/5": "registry_rename",
	"201002/1": "registry_set", "201002/2": "registry_set", "201002/4": "registry_delete",
	"4001": "network_connection", "4002": "proxy", "4003": "dns",
}

// nameAct names what takes more than a second name.
func nameAct(ev *event.Event, class string) {
	switch class {
	case "201002":
		if path, name := taxonomy.Text(ev, "reg_value.path"), taxonomy.Text(ev, "reg_value.name"); path != "" {
			if name != "" && !strings.HasSuffix(strings.ToLower(path), `\`+strings.ToLower(name)) {
				path += `\` + name
			}
			taxonomy.Put(ev, "TargetObject", event.Str(path))
		}
	case "4001":
		if ev.Product == "" {
			ev.Category = "firewall"
		}
		switch taxonomy.Text(ev, "action_id") {
		case "1":
			taxonomy.Put(ev, "blocked", taxonomy.Bool(false))
		case "2":
			taxonomy.Put(ev, "blocked", taxonomy.Bool(true))
		}
		switch taxonomy.Text(ev, "connection_info.direction_id") {
		case "1":
			taxonomy.Put(ev, "Initiated", taxonomy.Bool(false))
		case "2":
			taxonomy.Put(ev, "Initiated", taxonomy.Bool(true))
		}
	case "4002":
		target := taxonomy.Text(ev, "http_request.url.url_string")
		if target == "" {
			target = taxonomy.Text(ev, "http_request.url.path")
			if query := taxonomy.Text(ev, "http_request.url.query_string"); query != "" {
				target += "?" + query
			}
		}
		scheme := taxonomy.Text(ev, "http_request.url.scheme")
		if scheme == "" {
			scheme = "http"
		}
		taxonomy.Request(ev, scheme, taxonomy.Text(ev, "http_request.url.hostname"), target)
	}
}

// algorithms are the numbers of a fingerprint's algorithm_id. A fingerprint must have that; its algorithm, the name,
// is optional (schema, object fingerprint).
var algorithms = map[string]string{"1": "MD5", "2": "SHA1", "3": "SHA256", "4": "SHA512"}

// hashes writes a list of fingerprints as Sysmon writes Hashes.
func hashes(ev *event.Event, list string) {
	names, _ := ev.Get(list + ".algorithm")
	numbers, _ := ev.Get(list + ".algorithm_id")
	values, _ := ev.Get(list + ".value")
	var b strings.Builder
	switch len(values.Items) { // an item without a name, or a number: nobody can tell which
	case len(names.Items):
		for i, n := range names.Items {
			taxonomy.AppendHash(&b, n.Text, values.Items[i].Text)
		}
	case len(numbers.Items):
		for i, n := range numbers.Items {
			taxonomy.AppendHash(&b, algorithms[n.Text], values.Items[i].Text)
		}
	}
	if b.Len() > 0 {
		taxonomy.Put(ev, "Hashes", event.Str(b.String()))
	}
}

// nameTrail gives an event that was a CloudTrail record that record's names. What OCSF has no place for is below
// unmapped.
func nameTrail(ev *event.Event) {
	taxonomy.Lift(ev, "unmapped.")
	trails.Add(ev)
	cloudtrail.Name(ev)
}
