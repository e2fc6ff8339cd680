package stixcheck

// The cyber-observable objects (section 6). Beside these properties they have the common ones of section 3.2.
var observableObjects = map[string]*entry{
	"artifact": {class: observable, section: "6.1.1", properties: []property{
		{"mime_type", optional, mediaType, ""},
		{"payload_bin", optional, binary, ""},
		{"url", optional, uri, ""},
		{"hashes", optional, hashes, ""},
		{"encryption_algorithm", optional, newEnum(encryptionAlgorithm), ""},
		{"decryption_key", optional, text, ""},
	}, rules: []rule{oneOf("payload_bin", "url"), exclusive("payload_bin", "url"), needs("url", "hashes"),
		needs("decryption_key", "encryption_algorithm")},
		contributing: []string{"hashes", "payload_bin"}},

	"autonomous-system": {class: observable, section: "6.2.1", properties: []property{
		{"number", required, integer, ""},
		{"name", optional, text, ""},
		{"rir", optional, text, ""},
	}, contributing: []string{"number"}},

	"directory": {class: observable, section: "6.3.1", properties: []property{
		{"path", required, text, ""},
		{"path_enc", optional, characterSet, ""},
		{"ctime", optional, timestamp, ""},
		{"mtime", optional, timestamp, ""},
		{"atime", optional, timestamp, ""},
		{"contains_refs", optional, list(ref("file", "directory")), ""},
	}, contributing: []string{"path"}},

	"domain-name": {class: observable, section: "6.4.1", properties: []property{
		{"value", required, domainName, ""},
		{"resolves_to_refs", optional, list(ref("ipv4-addr", "ipv6-addr", "domain-name")), ""},
	}, contributing: []string{"value"}},

	"email-addr": {class: observable, section: "6.5.1", properties: []property{
		{"value", required, emailAddress, ""},
		{"display_name", optional, text, ""},
		{"belongs_to_ref", optional, ref("user-account"), ""},
	}, contributing: []string{"value"}},

	"email-message": {class: observable, section: "6.6.1", properties: []property{
		{"is_multipart", required, boolean, ""},
		{"date", optional, timestamp, ""},
		{"content_type", optional, text, ""},
		{"from_ref", optional, ref("email-addr"), ""},
		{"sender_ref", optional, ref("email-addr"), ""},
		{"to_refs", optional, list(ref("email-addr")), ""},
		{"cc_refs", optional, list(ref("email-addr")), ""},
		{"bcc_refs", optional, list(ref("email-addr")), ""},
		{"message_id", optional, text, ""},
		{"subject", optional, text, ""},
		{"received_lines", optional, list(text), ""},
		{"additional_header_fields", optional, dictionary(newer(list(text))), ""},
		{"body", optional, text, ""},
		{"body_multipart", optional, newer(list(mimePart)), ""},
		{"raw_email_ref", optional, ref("artifact"), ""},
	}, rules: []rule{exclusive("body", "body_multipart"), broken("6.6.1", bodyFits)},
		contributing: []string{"from_ref", "subject", "body"}},

	"file": {class: observable, section: "6.7.1", properties: []property{
		{"hashes", optional, hashes, ""},
		{"size", optional, natural, ""},
		{"name", optional, text, ""},
		{"name_enc", optional, characterSet, ""},
		{"magic_number_hex", optional, hexadecimal, ""},
		{"mime_type", optional, mediaType, ""},
		{"ctime", optional, timestamp, ""},
		{"mtime", optional, timestamp, ""},
		{"atime", optional, timestamp, ""},
		{"parent_directory_ref", optional, ref("directory"), ""},
		{"contains_refs", optional, list(observableRef), ""},
		{"content_ref", optional, ref("artifact"), ""},
	}, rules: []rule{oneOf("hashes", "name"), broken("3.1", encodingNeeds("name"))},
		extensions:   []string{"archive-ext", "ntfs-ext", "pdf-ext", "raster-image-ext", "windows-pebinary-ext"},
		contributing: []string{"hashes", "name", "extensions", "parent_directory_ref"}},

	"ipv4-addr": {class: observable, section: "6.8.1", properties: []property{
		{"value", required, ipv4, ""},
		{"resolves_to_refs", optional, list(ref("mac-addr")), ""},
		{"belongs_to_refs", optional, list(ref("autonomous-system")), ""},
	}, contributing: []string{"value"}},

	"ipv6-addr": {class: observable, section: "6.9.1", properties: []property{
		{"value", required, ipv6, ""},
		{"resolves_to_refs", optional, list(ref("mac-addr")), ""},
		{"belongs_to_refs", optional, list(ref("autonomous-system")), ""},
	}, contributing: []string{"value"}},

	"mac-addr": {class: observable, section: "6.10.1", properties: []property{
		{"value", required, macAddress, ""},
	}, contributing: []string{"value"}},

	"mutex": {class: observable, section: "6.11.1", properties: []property{
		{"name", required, text, ""},
	}, contributing: []string{"name"}},

	"network-traffic": {class: observable, section: "6.12.1", properties: []property{
		{"start", optional, timestamp, ""},
		{"end", optional, timestamp, ""},
		{"is_active", optional, boolean, ""},
		{"src_ref", optional, ref("ipv4-addr", "ipv6-addr", "mac-addr", "domain-name"), ""},
		{"dst_ref", optional, ref("ipv4-addr", "ipv6-addr", "mac-addr", "domain-name"), ""},
		{"src_port", should, between(0, 65535), ""},
		{"dst_port", should, between(0, 65535), ""},
		{"protocols", required, list(protocol), ""},
		{"src_byte_count", optional, natural, ""},
		{"dst_byte_count", optional, natural, ""},
		{"src_packets", optional, natural, ""},
		{"dst_packets", optional, natural, ""},
		{"ipfix", optional, dictionary(newer(textOrInteger)), ""},
		{"src_payload_ref", optional, ref("artifact"), ""},
		{"dst_payload_ref", optional, ref("artifact"), ""},
		{"encapsulates_refs", optional, list(ref("network-traffic")), ""},
		{"encapsulated_by_ref", optional, ref("network-traffic"), ""},
	}, rules: []rule{oneOf("src_ref", "dst_ref"), notBefore("end", "start"), broken("6.12.1", activeHasNoEnd),
		advice("6.12.1", extensionProtocols)},
		extensions:   []string{"http-request-ext", "icmp-ext", "socket-ext", "tcp-ext"},
		contributing: []string{"start", "end", "src_ref", "dst_ref", "src_port", "dst_port", "protocols", "extensions"}},

	"process": {class: observable, section: "6.13.1", some: true, properties: []property{
		{"extensions", optional, extensions, ""},
		{"is_hidden", optional, boolean, ""},
		{"pid", optional, integer, ""},
		{"created_time", optional, timestamp, ""},
		{"cwd", optional, text, ""},
		{"command_line", optional, text, ""},
		{"environment_variables", optional, dictionary(newer(text)), ""},
		{"opened_connection_refs", optional, list(ref("network-traffic")), ""},
		{"creator_user_ref", optional, ref("user-account"), ""},
		{"image_ref", optional, ref("file"), ""},
		{"parent_ref", optional, ref("process"), ""},
		{"child_refs", optional, list(ref("process")), ""},
	}, extensions: []string{"windows-process-ext", "windows-service-ext"}},

	"software": {class: observable, section: "6.14.1", properties: []property{
		{"name", required, text, ""},
		{"cpe", optional, cpeName, ""},
		{"swid", optional, text, ""},
		{"languages", optional, list(languageTag), ""},
		{"vendor", optional, text, ""},
		{"version", optional, text, ""},
	}, contributing: []string{"name", "cpe", "swid", "vendor", "version"}},

	"url": {class: observable, section: "6.15.1", properties: []property{
		{"value", required, uri, ""},
	}, contributing: []string{"value"}},

	"user-account": {class: observable, section: "6.16.1", some: true, properties: []property{
		{"extensions", optional, extensions, ""},
		{"user_id", optional, text, ""},
		{"credential", optional, text, ""},
		{"account_login", optional, text, ""},
		{"account_type", optional, open(accountType), ""},
		{"display_name", optional, text, ""},
		{"is_service_account", optional, boolean, ""},
		{"is_privileged", optional, boolean, ""},
		{"can_escalate_privs", optional, boolean, ""},
		{"is_disabled", optional, boolean, ""},
		{"account_created", optional, timestamp, ""},
		{"account_expires", optional, timestamp, ""},
		{"credential_last_changed", optional, timestamp, ""},
		{"account_first_login", optional, timestamp, ""},
		{"account_last_login", optional, timestamp, ""},
	}, extensions: []string{"unix-account-ext"},
		contributing: []string{"account_type", "user_id", "account_login"}},

	"windows-registry-key": {class: observable, section: "6.17.1", some: true, properties: []property{
		{"key", optional, registryKey, ""},
		{"values", optional, newer(list(registryValue)), ""},
		{"modified_time", optional, timestamp, ""},
		{"creator_user_ref", optional, ref("user-account"), ""},
		{"number_of_subkeys", optional, integer, ""},
	}, contributing: []string{"key", "values"}},

	"x509-certificate": {class: observable, section: "6.18.1", some: true, properties: []property{
		{"is_self_signed", optional, boolean, ""},
		{"hashes", optional, hashes, ""},
		{"version", optional, text, ""},
		{"serial_number", optional, text, ""},
		{"signature_algorithm", optional, text, ""},
		{"issuer", optional, text, ""},
		{"validity_not_before", optional, timestamp, ""},
		{"validity_not_after", optional, timestamp, ""},
		{"subject", optional, text, ""},
		{"subject_public_key_algorithm", optional, text, ""},
		{"subject_public_key_modulus", optional, text, ""},
		{"subject_public_key_exponent", optional, integer, ""},
		{"x509_v3_extensions", optional, x509v3Extensions, ""},
	}, contributing: []string{"hashes", "serial_number"}},
}

// The types of properties of observables.

var mimeParts = (&entry{section: "6.6.2.1", properties: []property{
	{"body", optional, text, ""},
	{"body_raw_ref", optional, ref("artifact", "file"), ""},
	{"content_type", optional, text, ""},
	{"content_disposition", optional, text, ""},
}, rules: []rule{{section: "6.6.2", broken: oneOf("body", "body_raw_ref").broken}, {section: "6.6.2", broken: exclusive("body", "body_raw_ref").broken}}}).prepared()

func mimePart(c *checker, n *node) { c.record(n, mimeParts) }

var registryValues = (&entry{section: "6.17.2.1", some: true, properties: []property{
	{"name", optional, text, ""},
	{"data", optional, text, ""},
	{"data_type", optional, enum(registryDatatype), ""},
}}).prepared()

func registryValue(c *checker, n *node) { c.record(n, registryValues) }

var x509v3 = (&entry{section: "6.18.2.1", some: true, properties: []property{
	{"basic_constraints", optional, text, ""},
	{"name_constraints", optional, text, ""},
	{"policy_constraints", optional, text, ""},
	{"key_usage", optional, text, ""},
	{"extended_key_usage", optional, text, ""},
	{"subject_key_identifier", optional, text, ""},
	{"authority_key_identifier", optional, text, ""},
	{"subject_alternative_name", optional, text, ""},
	{"issuer_alternative_name", optional, text, ""},
	{"subject_directory_attributes", optional, text, ""},
	{"crl_distribution_points", optional, text, ""},
	{"inhibit_any_policy", optional, text, ""},
	{"private_key_usage_period_not_before", optional, timestamp, ""},
	{"private_key_usage_period_not_after", optional, timestamp, ""},
	{"certificate_policies", optional, text, ""},
	{"policy_mappings", optional, text, ""},
}}).prepared()

func x509v3Extensions(c *checker, n *node) {
	dictionary(anything)(c, n)
	if n.isObject() {
		c.inside(func() { c.record(n, x509v3) })
	}
}
