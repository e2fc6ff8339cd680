package misp

// How much was compared.
const (
	attributes          = 406
	attributeIndicators = 89
)

// refusedTypes are those of which no value is known that PyMISP takes.
const refusedTypes = "filename|impfuzzy mac-eui-64 edge-extension-id"

// attributeTypes are where the types of objects differ.
var attributeTypes = []difference{
	{fits: re(`^\S+ true: theirs (observed-data|relationship|artifact|autonomous-system|domain-name|email-addr|email-message|file|ipv4-addr|ipv6-addr|mac-addr|mutex|network-traffic|url|user-account|windows-registry-key|x509-certificate)$`),
		why: "what is meant for detection is an indicator; misp-stix also says that it was observed, and ties both: the same value three times", count: 256},
	{fits: re(`^ip-(src|dst) false: theirs network-traffic$`),
		why: "an address was given, and no connection: misp-stix makes one up, over TCP", count: 5},
	{fits: re(`^filename false: ours directory$`),
		why: "a file's name has no folders (section 6.7): they are its parent directory", count: 2},
	{fits: re(`^(sigma|snort|suricata|yara) true: rule in brackets$`),
		why: "a rule is its own text (section 4.7, pattern); in brackets no engine reads it", count: 4},
	{fits: re(`^(sigma|snort|suricata|yara) false: (theirs indicator|ours x-misp-attribute)$`),
		why: "a rule that is not meant for detection would be live as an indicator", count: 8},
	{fits: re(`^stix2-pattern true: (theirs x-misp-attribute|ours indicator)$`),
		why: "a STIX pattern is one", count: 2},
	{fits: re(`^(url|uri) false: (theirs (observed-data|url)|ours x-misp-attribute)$`),
		why: "a URL's value is a URI of RFC 3986 (section 6.15): a path, or one with a backslash, is kept as it is", count: 6},
}

// attributePatterns are where patterns differ.
var attributePatterns = []rewriting{
	{from: re(`^ip-(?:src|dst) true network-traffic:(?:src|dst)_ref\.value = ('[0-9./]+')$`), to: "ipv4-addr:value = $1",
		why: "plain values go into the sets of indicators and the block lists; the direction is in the label", count: 3},
	{from: re(`^ip-(?:src|dst) true network-traffic:(?:src|dst)_ref\.value = ('[0-9a-f:/]+')$`), to: "ipv6-addr:value = $1", why: "as above", count: 2},
	{from: re(`^ip-.* true network-traffic:(src|dst)_ref\.type = 'ipv[46]-addr'$`),
		why: "an address says which type it is", count: 8},
	{from: re(`^\S+ true (network-traffic:(?:src|dst)_port|autonomous-system:number|file:size) = '([0-9]+)'$`), to: "$1 = $2",
		why: "these properties are integers (sections 6.2, 6.7, 6.12), and a string is not equal to one (section 9.6)", count: 7},
	{from: re(`^hostname\|port true network-traffic:dst_port = '[0-9]+'$`),
		why: "a name and a port are of two objects, so that both never hold of one (section 9.5)", count: 1},
	{from: re(`^domain\|ip true domain-name:resolves_to_refs\[\*\]\.value = `),
		why: "what a name resolves to changes, and events that name it do not say", count: 1},
	{from: re(`^email-reply-to true email-message:additional_header_fields\.reply_to = (.*)$`), to: "email-message:additional_header_fields.'Reply-To' = $1",
		why: "the keys are the header fields' names (section 6.6.1); misp-stix's own observables have them", count: 1},
	{from: re(`^email-x-mailer true email-message:additional_header_fields\.x_mailer = (.*)$`), to: "email-message:additional_header_fields.'X-Mailer' = $1", why: "as above", count: 1},
	{from: re(`^email-header true email-message:received_lines = (.*)$`), to: "email-message:received_lines[*] = $1",
		why: "an element of a list is asked for with an index (section 9.7)", count: 1},
	{from: re(`^regkey\|value true windows-registry-key:values\.data = (.*)$`), to: "windows-registry-key:values[*].data = $1", why: "as above", count: 1},
	{from: re(`^regkey(?:\|value)? true windows-registry-key:key = 'HKLM\\(.*)$`), to: `windows-registry-key:key = 'HKEY_LOCAL_MACHINE\$1`,
		why: "a key's hive is spelled out (section 6.17)", count: 2},
	{from: re(`^filename true file:name = '(.*?)(?:/|\\\\)(\w+\.?\w*)'$`), to: "file:name = '$2' AND file:parent_directory_ref.path = '$1'",
		why: "a file's name has no folders (section 6.7): they are its parent directory", count: 2},
	{from: re(`^(?:filename\|(?:md5|sha.*)|malware-sample) true file:name = `),
		why: "a hash tells the file under any name", count: 13},
	{from: re(`^(?:filename\|)?sha512/(224|256) true file:hashes\.'SHA-(?:224|256)' = (.*)$`), to: "file:hashes.'SHA-512_$1' = $2",
		why: "SHA-512/256 is not SHA-256", count: 4},
}

// How many objects were compared.
const (
	objects          = 530
	objectIndicators = 161
)

// objectTypes are where the types of objects differ.
var objectTypes = []difference{
	{fits: re(`^\S+ true: ours (indicator|relationship)$`),
		why: "a value for detection that the template's observable has no place for is looked for by itself, and tied to the object", count: 340},
	{fits: re(`^\S+ (true|false): ours x-misp-object$|^(user-account|x509|credential|registry-key|email) (true|false): theirs (observed-data|user-account|x509-certificate|windows-registry-key|email-message)$`),
		why: "nothing that STIX knows is said: an observable of custom properties alone is none (sections 6.6, 6.13, 6.16, 6.17, 6.18)", count: 180},
	{fits: re(`^(user-account|x509|credential|registry-key|email) true: theirs (indicator|relationship)$`),
		why: "a pattern of custom properties alone, which nothing ever has", count: 46},
	{fits: re(`^(yara|sigma|suricata|stix2-pattern) false: theirs indicator$`),
		why: "a rule that is not meant for detection would be live as an indicator", count: 18},
	{fits: re(`^(file|http-request|ip-port|software|process) (true|false): (theirs x-misp-object|ours (observed-data|file|network-traffic|domain-name|ipv4-addr|software|process))$`),
		why: "STIX has an object for it: any hash is in the dictionary, one end of a connection is enough, software is one", count: 144},
	{fits: re(`^http-request (true|false): theirs ipv4-addr$`),
		why: "a connection has one destination: the other stays in the object's attributes", count: 2},
	{fits: re(`^email (true|false): theirs file$`),
		why: "a mail with a body and attachments would need its parts: attachments stay in the object's attributes", count: 8},
	{fits: re(`^(yara|sigma|suricata|stix2-pattern) true: (rule in brackets|joined otherwise)$`),
		why: "a rule is its own text (section 4.7, pattern); in brackets no engine reads it"},
	{fits: re(`^file true: joined otherwise$`),
		why: "the hashes of one file are alternatives: an event seldom has all"},
}

// objectPatterns are where patterns differ.
var objectPatterns = []rewriting{
	{from: re(`^\S+ true \S+[:.]x_misp_header = (.*)$`), to: "email-message:received_lines[*] = $1", why: "the header's lines have a property", count: 3},
	{from: re(`^\S+ true network-traffic:x_misp_protocol = (.*)$`), to: "network-traffic:protocols[*] = $1", why: "protocols have a property", count: 1},
	{from: re(`^\S+ true user-account:x_misp_disabled = 'False'$`), to: "user-account:is_disabled = false", why: "it has a property", count: 2},
	{from: re(`^\S+ true user-account:x_misp_is_service_account = 'False'$`), to: "user-account:is_service_account = false", why: "as above", count: 1},
	{from: re(`^\S+ true network-traffic:x_misp_first_packet_seen = '(\S+) (\S+)\+00:00'$`), to: "network-traffic:start = t'${1}T${2}Z'", why: "as above", count: 2},
	{from: re(`^\S+ true network-traffic:x_misp_last_packet_seen = '(\S+) (\S+)\+00:00'$`), to: "network-traffic:end = t'${1}T${2}Z'", why: "as above", count: 1},
	{from: re(`^\S+ true network-traffic:x_misp_(src|dst)_bytes_count = '(\d+)'$`), to: "network-traffic:${1}_byte_count = $2", why: "as above", count: 2},
	{from: re(`^\S+ true network-traffic:x_misp_(src|dst)_packets_count = '(\d+)'$`), to: "network-traffic:${1}_packets = $2", why: "as above", count: 2},
	{from: re(`^\S+ true \S+[:.]x_misp_\w+ = .*$`),
		why: "a custom property that nothing ever has would keep the pattern from ever matching", count: 75},
	{from: re(`^\S+ true network-traffic:(src|dst)_ref\.type = '\S+'$`), why: "a value says which type it is", count: 33},
	{from: re(`^domain-ip true domain-name:resolves_to_refs\[\*\]\.value = `),
		why: "what a name resolves to changes, and events that name it do not say; the address is looked for by itself", count: 5},
	{from: re(`^\S+ true (\S+) = '(\d+)'$`), to: "$1 = $2", why: "integers (sections 6.2, 6.12, 6.13, 6.18), and a string is not equal to one (section 9.6)", count: 11},
	{from: re(`^registry-key true windows-registry-key:key = 'HKLM\\(.*)$`), to: `windows-registry-key:key = 'HKEY_LOCAL_MACHINE\$1`,
		why: "a key's hive is spelled out (section 6.17)", count: 2},
	{from: re(`^\S+ true (\S+) = 'True'$`), to: "$1 = true", why: "as above, with booleans", count: 8},
	{from: re(`^process true process:created = '(\S+) (\S+)\+00:00'$`), to: "process:created_time = t'${1}T${2}Z'",
		why: "created_time is the property's name in STIX 2.1 (section 6.13)", count: 1},
	{from: re(`^\S+ true (\S+) = '(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)\+00:00'$`), to: "$1 = t'${2}T${3}Z'", why: "as above, with timestamps", count: 19},
	{from: re(`^\S+ true (\S+)\[0\](\.\w+)? = '(\d+)'$`), to: "$1[*]$2 = $3", why: "an element of a list may be any (section 9.7), and it is an integer", count: 1},
	{from: re(`^\S+ true (\S+)\[0\](\.\w+)? = (.*)$`), to: "$1[*]$2 = $3", why: "an element of a list may be any (section 9.7)", count: 19},
	{from: re(`^email true email-message:additional_header_fields\.reply_to = (.*)$`), to: "email-message:additional_header_fields.'Reply-To' = $1",
		why: "the keys are the header fields' names (section 6.6.1)", count: 1},
	{from: re(`^email true email-message:additional_header_fields\.x_mailer = (.*)$`), to: "email-message:additional_header_fields.'X-Mailer' = $1", why: "as above", count: 1},
	{from: re(`^email true email-message:body_multipart\[0\]\.`), why: "attachments are looked for by themselves", count: 2},
	{from: re(`^file true file:hashes\.'SHA-256' = (.*)$`), to: "file:hashes.'SHA-512_256' = $1", why: "SHA-512/256 is not SHA-256", count: 1},
	{from: re(`^file true file:(hashes\.(VHASH|TLSH|AUTHENTIHASH)|atime|name_enc) = `), why: "a hash tells the file by itself", count: 5},
	{from: re(`^x509 true x509-certificate:subject_public_key_exponent = `), why: "a hash tells the certificate by itself", count: 1},
	{from: re(`^user-account true user-account:extensions\.'unix-account-ext'\.`), why: "groups and folders of an account stay in the object's attributes", count: 4},
	{from: re(`^network-socket true network-traffic:extensions\.'socket-ext'\.`), why: "what a socket is like stays in the object's attributes", count: 1},
	{from: re(`^http-request true network-traffic:dst_ref\.value = `), why: "a connection has one destination: the other is looked for by itself", count: 1},
}

// How many events were compared, and how many objects of both.
const (
	events          = 400
	comparedObjects = 3844
)

// eventDifferences are where whole events differ, beside what single attributes do.
var eventDifferences = []difference{
	{fits: re(`^ATT&CK's object referred to$`),
		why: "its identifier is MITRE's: a copy with an event's time would be newer than the original and stand before it", count: 616},
	{fits: re(`^theirs alone: observed-data$`), why: "what is meant for detection is an indicator; misp-stix also says that it was observed; or its URL is none", count: 393},
	{fits: re(`^the event's marking on `), why: "an event's TLP holds for all that is in it: misp-stix leaves its attributes unmarked", count: 840},
	{fits: re(`^its subject's marking on `), why: "what is said of something marked tells of it", count: 364},
	{fits: re(`^the event's confidence on `), why: "confidence in an event is confidence in what it says", count: 157},
	{fits: re(`^(theirs alone: indicator|ours alone: x-misp-attribute|theirs ties indicator (indicates|related-to) \S+|ours ties x-misp-attribute related-to \S+)$`),
		why: "a rule that is not meant for detection would be live as an indicator; a URL that is none is no observable", count: 140},
	{fits: re(`^theirs ties observed-data related-to \S+$`), why: "a URL that is none is no observable: ours ties x-misp-attribute", count: 19},
	{fits: re(`^theirs alone: note$`), why: "an empty event names its organisation; misp-stix writes a note that it is empty", count: 11},
}
