package match

import "shieldwall/internal/indicator"

// use is a way to read a field when looking for indicators.
type use uint16

const (
	// asHost reads a host name or an address.
	asHost use = 1 << iota
	// asAddress reads an address.
	asAddress
	// asAddresses reads answers of DNS: one, or a list as Sysmon 22 writes it ("type:  5 a.example;::ffff:192.0.2.1;").
	asAddresses
	// asURL reads a URL, and the host in it.
	asURL
	// asHashes reads "MD5=...,SHA256=...", or one bare hash.
	asHashes
	// asPath reads a path and takes the file's name.
	asPath
	// asEmail reads an e-mail address.
	asEmail
	// asRegistry reads a registry key, perhaps with the name of a value behind it.
	asRegistry
	// asMutex reads a mutex's name.
	asMutex
	// asText looks through a text for whatever stands in it.
	asText
)

// indicatorFields says in which fields which indicators are looked for. It starts from
// reference/detection.md's map of STIX object paths to fields (in Sigma's taxonomy):
//
//	domain-name:value  -> QueryName, DestinationHostname, the hosts of URLs, and DNS answers
//	ipv4/ipv6-addr     -> SourceIp, DestinationIp, and what other sources call them; DNS answers
//	url:value          -> c-uri and its kin; a bare path is joined with cs-host
//	file:hashes        -> Hashes, by algorithm
//	file:name          -> the last part of TargetFilename, Image, ImageLoaded ...
//	email-addr:value   -> senders and recipients
//	windows-registry-key:key -> TargetObject, ObjectName
//	mutex:name         -> MutexName, ObjectName
//
// Command lines, scripts, messages and the like are looked through for addresses, domains, URLs, e-mail
// addresses, file names and hashes.
func indicatorFields() map[string]use {
	out := map[string]use{}
	for u, names := range map[use][]string{
		asHost: {
			"QueryName", "QNAME", "query", // Sysmon 22, Windows DNS, Zeek dns
			"DestinationHostname", "SourceHostname", // Sysmon 3
			"cs-host", "r-dns", "host", "server_name", "ServerName", // proxies, Zeek http and ssl
		},
		asAddress: {
			"SourceIp", "DestinationIp", // Sysmon 3
			"SourceAddress", "DestAddress", // Security 5156
			"IpAddress", "ClientAddress", "RemoteAddress", "ServerAddress", "Address",
			"src_ip", "dst_ip", "c-ip", "s-ip", "r-ip", "cs-ip",
			"id.orig_h", "id.resp_h", // Zeek
			"sourceIPAddress", "callerIpAddress", // cloud
		},
		asAddresses: {"QueryResults", "answer"}, // Sysmon 22; all other sources
		asURL:       {"c-uri", "cs-uri", "cs-uri-stem", "uri", "url", "RemoteName", "PackageSourceUri", "requestURI"},
		asHashes: {
			"Hashes", "Hash", "ConfigurationFileHash", // Sysmon
			"md5", "sha1", "sha256", "sha512", "imphash", "MD5", "SHA1", "SHA256", "SHA512", "Imphash", "IMPHASH",
		},
		asPath: {
			"Image", "ParentImage", "ImageLoaded", "TargetFilename", "OriginalFileName", "SourceImage", "TargetImage",
			"FileName", "Filename", "SourceFilename", "ServiceFileName",
			"NewProcessName", "ParentProcessName", "ProcessName", "Application", // Security log
		},
		asEmail: {"From", "To", "Sender", "Recipient", "SenderAddress", "RecipientAddress", "mailfrom", "rcptto"},
		asRegistry: {
			"TargetObject", "NewName", // Sysmon 12 to 14
			"ObjectName", "RegistryKey", "registry.path", // Security 4657 and 4663, others
		},
		asMutex: {"MutexName", "Mutex", "Mutant", "ObjectName"},
		asText: {
			"CommandLine", "ParentCommandLine", "ProcessCommandLine", // Sysmon 1, Security 4688
			"ScriptBlockText", "Payload", "ContextInfo", "HostApplication", "Data", // PowerShell
			fieldMessage, "message", "Details", "Description", "Contents", // rendered texts, registry values, Sysmon 15
			"ServiceName", "ImagePath", "ServiceFileName", "TaskContent", "TaskContentNew", "Arguments", "Query", // services, tasks, WMI
			"c-useragent", "cs-user-agent", "user_agent", "UserAgent", "userAgent", "cs-referrer", "c-referrer", "referrer", "cs-cookie",
			"requestParameters", "proctitle", "Subject",
			"From", "To", "Sender", "Recipient", // "A Name <a@b.example>, ..."
		},
	} {
		for _, name := range names {
			out[name] |= u
		}
	}
	return out
}

// bareHash tells hashes without an algorithm apart: by the field's name where it has one, otherwise
// by length. An import hash looks like an MD5, so that it needs its name.
func bareHash(field, digits string) indicator.Type {
	switch {
	case fold(field) == "imphash":
		return indicator.Imphash
	case len(digits) == 32:
		return indicator.MD5
	case len(digits) == 40:
		return indicator.SHA1
	case len(digits) == 64:
		return indicator.SHA256
	}
	return indicator.SHA512
}
