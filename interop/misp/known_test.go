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
	{from: re(`^filename true file:name = '(.*?)(?:/|\\\\)(\w+\.?\w*)'$`), to: "file:name = '$2' AND file:parent_directory_ref.path = '$1'",
		why: "a file's name has no folders (section 6.7): they are its parent directory", count: 2},
	{from: re(`^(?:filename\|(?:md5|sha.*)|malware-sample) true file:name = `),
		why: "a hash tells the file under any name", count: 13},
	{from: re(`^(?:filename\|)?sha512/(224|256) true file:hashes\.'SHA-(?:224|256)' = (.*)$`), to: "file:hashes.'SHA-512_$1' = $2",
		why: "SHA-512/256 is not SHA-256", count: 4},
}
