package stix

// The cyber-observable objects (section 6), a part of the table. Their ids are not checked against their
// contributing properties: the specification only says SHOULD (section 2.9).

var fileTimes = may(timestampKind, "ctime", "mtime", "atime")

var observables = map[string]spec{
	"artifact": {observable, "6.1", fields(may(stringKind, "mime_type", "url", "encryption_algorithm", "decryption_key"),
		may(base64Kind, "payload_bin"), may(hashes, "hashes")), checks(oneOf("payload_bin", "url"),
		exclusive("payload_bin", "url"), needs("url", "hashes"), needs("decryption_key", "encryption_algorithm"))},
	"autonomous-system": {observable, "6.2", fields(must(integerKind, "number"), may(stringKind, "name", "rir")), nil},
	"directory": {observable, "6.3", fields(must(stringKind, "path"), may(stringKind, "path_enc"), fileTimes,
		may(refsTo("file", "directory"), "contains_refs")), nil},
	"domain-name": {observable, "6.4", fields(must(stringKind, "value"),
		may(refsTo("ipv4-addr", "ipv6-addr", "domain-name"), "resolves_to_refs")), nil},
	"email-addr": {observable, "6.5", fields(must(stringKind, "value"), may(stringKind, "display_name"),
		may(refTo("user-account"), "belongs_to_ref")), nil},
	"email-message": {observable, "6.6", fields(must(boolean, "is_multipart"), may(timestampKind, "date"),
		may(stringKind, "content_type", "message_id", "subject", "body"), may(refTo("email-addr"), "from_ref", "sender_ref"),
		may(refsTo("email-addr"), "to_refs", "cc_refs", "bcc_refs"), may(stringList, "received_lines"),
		may(dictionary, "additional_header_fields"), may(refTo("artifact"), "raw_email_ref")),
		checks(exclusive("body", "body_multipart"))},
	"file": {observable, "6.7", fields(may(hashes, "hashes"), may(natural, "size"), may(hexKind, "magic_number_hex"),
		may(stringKind, "name", "name_enc", "mime_type"), fileTimes, may(refTo("directory"), "parent_directory_ref"),
		may(refs, "contains_refs"), may(refTo("artifact"), "content_ref")), checks(oneOf("hashes", "name"))},
	"ipv4-addr": {observable, "6.8", fields(must(stringKind, "value"), may(refsTo("mac-addr"), "resolves_to_refs"),
		may(refsTo("autonomous-system"), "belongs_to_refs")), nil},
	"ipv6-addr": {observable, "6.9", fields(must(stringKind, "value"), may(refsTo("mac-addr"), "resolves_to_refs"),
		may(refsTo("autonomous-system"), "belongs_to_refs")), nil},
	"mac-addr": {observable, "6.10", fields(must(stringKind, "value")), nil},
	"mutex":    {observable, "6.11", fields(must(stringKind, "name")), nil},
	"network-traffic": {observable, "6.12", fields(must(stringList, "protocols"), may(timestampKind, "start", "end"),
		may(boolean, "is_active"), may(between(0, 65535), "src_port", "dst_port"),
		may(natural, "src_byte_count", "dst_byte_count", "src_packets", "dst_packets"),
		may(refTo("ipv4-addr", "ipv6-addr", "mac-addr", "domain-name"), "src_ref", "dst_ref"), may(dictionary, "ipfix"),
		may(refTo("artifact"), "src_payload_ref", "dst_payload_ref"), may(refsTo("network-traffic"), "encapsulates_refs"),
		may(refTo("network-traffic"), "encapsulated_by_ref")),
		checks(oneOf("src_ref", "dst_ref"), notBefore("end", "start"))},
	"process": {observable, "6.13", fields(may(boolean, "is_hidden"), may(integerKind, "pid"),
		may(timestampKind, "created_time"), may(stringKind, "cwd", "command_line"), may(dictionary, "environment_variables"),
		may(refsTo("network-traffic"), "opened_connection_refs"), may(refTo("user-account"), "creator_user_ref"),
		may(refTo("file"), "image_ref"), may(refTo("process"), "parent_ref"), may(refsTo("process"), "child_refs")),
		checks(oneOf("extensions", "is_hidden", "pid", "created_time", "cwd", "command_line", "environment_variables",
			"opened_connection_refs", "creator_user_ref", "image_ref", "parent_ref", "child_refs"))},
	"software": {observable, "6.14", fields(must(stringKind, "name"), may(stringKind, "cpe", "swid", "vendor", "version"),
		may(stringList, "languages")), nil},
	"url": {observable, "6.15", fields(must(stringKind, "value")), nil},
	"user-account": {observable, "6.16", fields(may(stringKind, accountTexts...), may(boolean, accountFlags...),
		may(timestampKind, accountTimes...)), checks(oneOf(append(append(append([]string{"extensions"}, accountTexts...),
		accountFlags...), accountTimes...)...))},
	"windows-registry-key": {observable, "6.17", fields(may(stringKind, "key"), may(timestampKind, "modified_time"),
		may(refTo("user-account"), "creator_user_ref"), may(integerKind, "number_of_subkeys")),
		checks(oneOf("key", "values", "modified_time", "creator_user_ref", "number_of_subkeys"))},
	"x509-certificate": {observable, "6.18", fields(may(boolean, "is_self_signed"), may(hashes, "hashes"),
		may(stringKind, certificateTexts...), may(timestampKind, "validity_not_before", "validity_not_after"),
		may(integerKind, "subject_public_key_exponent"), may(dictionary, "x509_v3_extensions")),
		checks(oneOf(append([]string{"is_self_signed", "hashes", "validity_not_before", "validity_not_after",
			"subject_public_key_exponent", "x509_v3_extensions"}, certificateTexts...)...))},
}

var (
	accountTexts = []string{"user_id", "credential", "account_login", "account_type", "display_name"}
	accountFlags = []string{"is_service_account", "is_privileged", "can_escalate_privs", "is_disabled"}
	accountTimes = []string{"account_created", "account_expires", "credential_last_changed", "account_first_login",
		"account_last_login"}
	certificateTexts = []string{"version", "serial_number", "signature_algorithm", "issuer", "subject",
		"subject_public_key_algorithm", "subject_public_key_modulus"}
)
