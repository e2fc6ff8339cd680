package observed

// field is a Sigma field that a property's value is read from, and how.
type field struct {
	name string
	read reading
	// when and unless name fields that the event must, or must not, have for this to be the value.
	when, unless []string
}

// property is one property of an observable. The first of its fields that gives a value counts.
type property struct {
	path   []string // keys; "*" makes a list of one
	fields []field
}

// reference is a property that names other observables of the event.
type reference struct {
	name  string
	roles []string // the first that the event has; of a list (..._refs), all of them
}

// role is one observable that an event may speak of, such as the file that a process was started from. It
// is there if one of its properties is.
type role struct {
	typ, name  string
	properties []property
	references []reference
	// referred says that it is only seen through references. A parent process is: otherwise every child of
	// a process would repeat the detection of that one.
	referred bool
}

func prop(path string, fields ...field) property { return property{splitPath(path), fields} }

// from reads the fields one way, the first that is there.
func from(r reading, names ...string) []field {
	var out []field
	for _, name := range names {
		out = append(out, field{name: name, read: r})
	}
	return out
}

func (f field) onlyWith(names ...string) field { f.when = names; return f }
func (f field) onlyWithout(names ...string) field {
	f.unless = names
	return f
}

// Fields that several roles read.
var (
	imageFields       = []string{"Image", "NewProcessName", "SourceImage", "ProcessName", "Application", "ProcessPath"}
	parentImageFields = []string{"ParentImage", "ParentProcessName"}
	sourceAddresses   = []string{"SourceIp", "SourceAddress", "src_ip", "c-ip", "id.orig_h", "IpAddress", "ClientAddress", "sourceIPAddress", "callerIpAddress"}
	targetAddresses   = []string{"DestinationIp", "DestAddress", "dst_ip", "dest_ip", "r-ip", "s-ip", "id.resp_h", "RemoteAddress", "ServerAddress"}
	sourcePorts       = []string{"SourcePort", "src_port", "c-port", "id.orig_p", "IpPort"}
	targetPorts       = []string{"DestinationPort", "DestPort", "dst_port", "dest_port", "s-port", "r-port", "id.resp_p"}
	urls              = []string{"c-uri", "cs-uri", "uri", "url", "RemoteName", "PackageSourceUri", "requestURI"}
)

// roles is the map from STIX object paths to Sigma fields; Table prints it. Paths that are not here have no
// field, and a pattern that needs them is refused.
var roles = slicesOf(processes(), files(), network(), hosts(), accounts())

func slicesOf(lists ...[]role) []role {
	var out []role
	for _, list := range lists {
		out = append(out, list...)
	}
	return out
}

func processes() []role {
	return []role{
		{"process", "self", []property{
			prop("command_line", from(text, "CommandLine", "ProcessCommandLine")...),
			prop("name", from(base, imageFields...)...), // STIX 2.0
			// In Security 4688 ProcessId is the parent's.
			prop("pid", append(from(number, "NewProcessId", "SourceProcessId", "ProcessID"), field{name: "ProcessId", read: number}.onlyWithout("NewProcessId"))...),
			prop("cwd", from(text, "CurrentDirectory")...),
			prop("extensions.windows-process-ext.integrity_level", from(folded, "IntegrityLevel")...),
			prop("extensions.windows-service-ext.service_name", from(text, "ServiceName")...),
		}, []reference{{"image_ref", []string{"file/image"}}, {"parent_ref", []string{"process/parent"}}, {"creator_user_ref", []string{"user-account/actor"}},
			{"opened_connection_refs", []string{"network-traffic/connection"}}}, false},
		{"process", "parent", []property{
			prop("command_line", from(text, "ParentCommandLine")...),
			prop("name", from(base, parentImageFields...)...),
			prop("pid", append(from(number, "ParentProcessId"), field{name: "ProcessId", read: number}.onlyWith("NewProcessId"))...),
		}, []reference{{"image_ref", []string{"file/parent"}}}, true},
		{"process", "target", []property{ // of Sysmon 8 and 10
			prop("name", from(base, "TargetImage")...),
			prop("pid", from(number, "TargetProcessId")...),
		}, []reference{{"image_ref", []string{"file/target-image"}}}, false},
	}
}

// files has a folder beside each file. An event has hashes of one file at most: of what it wrote or loaded,
// if it did, and else of the process's image.
func files() []role {
	hashes := func(f field) property { return prop("hashes", f) }
	hash := field{name: "Hashes", read: hashList}
	var out []role
	add := func(name string, more []property, fields ...string) {
		properties := append([]property{prop("name", from(base, fields...)...)}, more...)
		out = append(out,
			role{"file", name, properties, []reference{{"parent_directory_ref", []string{"directory/" + name}}}, name == "parent"},
			role{"directory", name, []property{prop("path", from(folder, fields...)...)}, nil, name == "parent"})
	}
	add("image", []property{hashes(hash.onlyWithout("ImageLoaded", "TargetFilename"))}, imageFields...)
	add("loaded", []property{hashes(hash.onlyWithout("TargetFilename"))}, "ImageLoaded")
	add("written", []property{hashes(hash)}, "TargetFilename")
	add("parent", nil, parentImageFields...)
	add("target-image", nil, "TargetImage")
	add("logged", []property{
		prop("hashes.MD5", from(digest, "md5", "MD5")...), prop("hashes.SHA-1", from(digest, "sha1", "SHA1")...),
		prop("hashes.SHA-256", from(digest, "sha256", "SHA256")...), prop("hashes.SHA-512", from(digest, "sha512", "SHA512")...),
	}, "FileName", "Filename", "SourceFilename", "filename", "ServiceFileName")
	// Hashes without the file's name belong to no other role: they must not hang on one that lacks a name.
	return append(out, role{"software", "image", []property{
		prop("name", from(text, "Product")...), prop("vendor", from(text, "Company")...), prop("version", from(text, "FileVersion")...),
	}, nil, false})
}

func network() []role {
	return []role{
		{"ipv4-addr", "source", []property{prop("value", from(v4, sourceAddresses...)...)}, nil, false},
		{"ipv6-addr", "source", []property{prop("value", from(v6, sourceAddresses...)...)}, nil, false},
		{"ipv4-addr", "destination", []property{prop("value", from(v4, targetAddresses...)...)}, nil, false},
		{"ipv6-addr", "destination", []property{prop("value", from(v6, targetAddresses...)...)}, nil, false},
		{"network-traffic", "connection", []property{
			prop("src_port", from(number, sourcePorts...)...), prop("dst_port", from(number, targetPorts...)...),
			prop("protocols.*", from(folded, "Protocol", "proto")...),
			prop("extensions.http-request-ext.request_method", from(text, "cs-method")...),
			prop("extensions.http-request-ext.request_value", from(text, "c-uri", "cs-uri", "uri")...),
			prop("extensions.http-request-ext.request_header.User-Agent", from(text, "c-useragent", "cs-user-agent", "user_agent")...),
		}, []reference{{"src_ref", []string{"ipv4-addr/source", "ipv6-addr/source"}}, {"dst_ref", []string{"ipv4-addr/destination", "ipv6-addr/destination"}}}, false},
		{"url", "requested", []property{prop("value", from(text, urls...)...)}, nil, false},
	}
}

func hosts() []role {
	domain := func(name string, fields ...string) role {
		return role{"domain-name", name, []property{prop("value", from(host, fields...)...)}, nil, false}
	}
	address := func(name string, fields ...string) role {
		return role{"email-addr", name, []property{prop("value", from(mailbox, fields...)...)}, nil, false}
	}
	return []role{
		domain("queried", "QueryName", "QNAME", "query"),
		domain("destination", "DestinationHostname", "cs-host", "r-dns", "host"),
		domain("source", "SourceHostname"),
		domain("server", "server_name", "ServerName"),
		address("from", "From", "SenderAddress", "Sender", "mailfrom"),
		address("to", "To", "RecipientAddress", "Recipient", "rcptto"),
		{"email-message", "message", []property{prop("subject", from(text, "Subject", "subject")...)},
			[]reference{{"from_ref", []string{"email-addr/from"}}, {"sender_ref", []string{"email-addr/from"}}, {"to_refs", []string{"email-addr/to"}}}, false},
	}
}

// accounts and registry keys. Sysmon writes the value's name behind the key's where it writes a value, so
// that such an event is two keys: what it says literally, and the key with its value.
func accounts() []role {
	return []role{
		{"user-account", "actor", []property{prop("account_login", from(login, "User", "SubjectUserName", "cs-username")...),
			prop("user_id", from(text, "SubjectUserSid", "UserSid")...)}, nil, false},
		{"user-account", "actor-with-domain", []property{prop("account_login", from(text, "User")...)}, nil, false},
		{"user-account", "target", []property{prop("account_login", from(login, "TargetUserName")...),
			prop("user_id", from(text, "TargetUserSid")...)}, nil, false},
		{"windows-registry-key", "named", []property{prop("key", from(registry, "TargetObject")...)}, nil, false},
		{"windows-registry-key", "written", []property{
			prop("key", field{name: "TargetObject", read: registryFolder}.onlyWith("Details")),
			prop("values.*.name", field{name: "TargetObject", read: base}.onlyWith("Details")),
			prop("values.*.data", from(text, "Details")...),
		}, nil, false},
	}
}
