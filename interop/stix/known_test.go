package stix

import "regexp"

// verdict is what we do where we and a package disagree.
type verdict string

const (
	accept verdict = "accept" // what it refuses
	refuse verdict = "refuse" // what it accepts
)

// disagreement is a known one: what we do, how it is known, and what settles it. Every difference must be one of
// these, and of each there must be as many as are said here.
type disagreement struct {
	oracle string
	name   string
	we     verdict
	// section is that of STIX 2.1 which settles it.
	section string
	why     string
	// said fits what the one who refuses says of it.
	said *regexp.Regexp
	// in fits the object's text; nil fits every.
	in *regexp.Regexp
	// How many there are among the objects of the corpus and among the generated ones.
	corpus, generated int
}

func re(expression string) *regexp.Regexp { return regexp.MustCompile(expression) }

const (
	validatorPackage = "stix2-validator"
	parserPackage    = "stix2"
)

// observables are the types of cyber-observable objects, and custom ones without versions, whose schema has none of
// the common properties that they need not have.
var observables = re(`"type":"(artifact|autonomous-system|directory|domain-name|email-addr|email-message|file|ipv4-addr|ipv6-addr|mac-addr|mutex|network-traffic|process|software|url|user-account|` +
	`windows-registry-key|x509-certificate|my-favorite-sco|marking-definition|x-[a-z-]*)"`)

var disagreements = []*disagreement{
	// What we refuse and stix2-validator accepts.
	{oracle: validatorPackage, name: "id of another type", we: refuse, section: "2.9",
		why:       "the type in front of the UUID is exactly that of the object",
		said:      re(`: id: must begin with the object's type`),
		generated: 51},
	{oracle: validatorPackage, name: "other versions of STIX", we: refuse, section: "3.2",
		why:       "spec_version is 2.1; the schemas let 2.0 pass",
		said:      re(`: spec_version: ".*" is not 2\.1`),
		generated: 38},
	{oracle: validatorPackage, name: "language and marking at once", we: refuse, section: "7.2.3.1",
		why:       "one and only one of lang and marking_ref is there, and lang is a language code; the schema looks at marking_ref alone",
		said:      re(`granular_markings\.\[\d\]\.lang: (must not be there together|".*" is no language code|must be a string)`),
		generated: 23},
	{oracle: validatorPackage, name: "markings by what is no marking", we: refuse, section: "3.3",
		why:       "object_marking_refs refers to marking definitions only",
		said:      re(`object_marking_refs\.\[\d\]: must be an id of type marking-definition`),
		generated: 24},
	{oracle: validatorPackage, name: "creators that are no identities", we: refuse, section: "3.2",
		why:       "created_by_ref is the id of an identity, and extension definitions must have one (section 7.3.1)",
		said:      re(`created_by_ref: (must be an id of type identity|missing)`),
		generated: 16},
	{oracle: validatorPackage, name: "TLP in another form", we: refuse, section: "7.2.1.4",
		why:       "the markings of TLP are given with all their properties; TLP 2.0's are by their extension definition",
		said:      re(`must be that of TLP|must not be there: TLP|must be 20\S+: TLP|must be TLP:|must be that of one of the`),
		generated: 13},
	{oracle: validatorPackage, name: "encoding of nothing", we: refuse, section: "3.1",
		why:       "an _enc property is not there without the property that it is about",
		said:      re(`_enc: must not be there without`),
		generated: 17},
	{oracle: validatorPackage, name: "names", we: refuse, section: "11.1.1",
		why:       "names are 3 to 250 of a-z, 0-9 and underscore, inside of objects too (sections 3.1, 7.3.2.1); the schema's expression is not anchored",
		said:      re(`a name must be 3 to 250 of|is no property's name`),
		generated: 47},
	{oracle: validatorPackage, name: "empty lists and dictionaries, and null", we: refuse, section: "2.12",
		why:    "they are prohibited wherever a list or a dictionary stands (section 2.3), and null is of no type of section 2",
		said:   re(`must not be an empty list|must not be empty|null is no value`),
		corpus: 7, generated: 16},
	{oracle: validatorPackage, name: "references of observables", we: refuse, section: "2.9",
		why:  "a reference is an identifier, of the types that the property names; the schemas take any string",
		said: re(`_refs?(\.\[\d\])?: must be (an id|the id of a cyber-observable)`), in: observables,
		generated: 26},
	{oracle: validatorPackage, name: "common properties", we: refuse, section: "3.2",
		why:  "where they are they have their types; the schemas of observables and marking definitions do not have them",
		said: re(`: (revoked|labels|confidence|created|modified|lang|external_references)(\.\S+)?: (missing|must be)`), in: observables,
		generated: 10},
	{oracle: validatorPackage, name: "defanged", we: refuse, section: "3.2",
		why:       "defanged must not be used on objects other than observables",
		said:      re(`: defanged: must`),
		generated: 1},
	{oracle: validatorPackage, name: "custom extensions of other objects", we: refuse, section: "11.3",
		why:       "custom extensions can only be used with observables",
		said:      re(`an extension without a definition can only`),
		generated: 112},
	{oracle: validatorPackage, name: "reserved names", we: refuse, section: "3.8",
		why:  "phone_number is reserved, where the schemas have phone_numbers, and all are in marking definitions too",
		said: re(`: the name is reserved`), in: re(`"phone_number"|"type":"marking-definition"`),
		generated: 3},
	{oracle: validatorPackage, name: "predefined extensions elsewhere", we: refuse, section: "3.10",
		why:       "what has a predefined extension's name is that extension; the schemas look at those of the object's own type",
		said:      re(`extensions\.(icmp|socket|http-request|tcp|ntfs|pdf|archive|raster-image|windows-pebinary|windows-process|windows-service|unix-account)-ext[.:]`),
		generated: 32},
	{oracle: validatorPackage, name: "fuzzy hashes", we: refuse, section: "10.7",
		why:       "an SSDEEP is a block size and two hashes, a TLSH hexadecimal; the schema counts characters",
		said:      re(`hashes\.(SSDEEP|TLSH): ".*" is no value`),
		generated: 4},
	{oracle: validatorPackage, name: "header fields that are no lists", we: refuse, section: "6.6.1",
		why:       "the value of each is always a list of strings",
		said:      re(`additional_header_fields\.\S+: must be a list`),
		generated: 2},
	{oracle: validatorPackage, name: "custom objects without anything of their own", we: refuse, section: "11.2.1",
		why:       "a custom object has one or more properties",
		said:      re(`an object of a custom type must have a property`),
		generated: 1},
	{oracle: validatorPackage, name: "references to bundles", we: refuse, section: "8.2",
		why:       "a bundle is no STIX object and has no relationships to it",
		said:      re(`must not refer to a bundle`),
		generated: 3},
	{oracle: validatorPackage, name: "results that are no observables", we: refuse, section: "4.12.1",
		why:       "analysis_sco_refs are references to observables",
		said:      re(`analysis_sco_refs\.\[\d\]: must be the id of a cyber-observable`),
		generated: 2},
	{oracle: validatorPackage, name: "sightings of what is no domain object", we: refuse, section: "5.2.1",
		why:       "sighting_of_ref references only SDOs",
		said:      re(`sighting_of_ref: must be the id of a domain object`),
		generated: 2},
	{oracle: validatorPackage, name: "ends of relationships", we: refuse, section: "5.1.2",
		why:       "source and target are SDOs or SCOs, and an extension definition is neither",
		said:      re(`(source|target)_ref: must be the id of a domain object`),
		generated: 1},
	{oracle: validatorPackage, name: "environment variables", we: refuse, section: "6.13.1",
		why:       "each value is a string",
		said:      re(`environment_variables\.\S+: must be a string`),
		generated: 4},
	{oracle: validatorPackage, name: "zones of addresses", we: refuse, section: "6.9.1",
		why:       "addresses are in CIDR notation, which has no zones",
		said:      re(`value: ".*%.*" is no IPv6`),
		generated: 1},
	{oracle: validatorPackage, name: "large integers", we: refuse, section: "2.10",
		why:  "an integer fits into 54 bits with its sign",
		said: re(`must be an integer`), in: re(`\d{16}`),
		generated: 1},

	// What we accept and stix2-validator refuses.
	{oracle: validatorPackage, name: "CVE and CAPEC ids elsewhere", we: accept, section: "4.19.1",
		why:       "the form of a CVE id is fixed on vulnerabilities, that of a CAPEC id on attack patterns (section 4.1.1)",
		said:      re(`If the external reference is a C(VE|APEC)`),
		generated: 47},
	{oracle: validatorPackage, name: "languages of parts", we: accept, section: "7.2.3.1",
		why:       "a granular marking has marking_ref or lang",
		said:      re(`granular_markings\[\d\]: 'marking_ref' is a required property`),
		generated: 28},
	{oracle: validatorPackage, name: "selectors of keys in capitals", we: accept, section: "7.2.3.1",
		why:       "a selector's part is a property's name or a dictionary's key, which may have capitals",
		said:      re(`selectors\[\d\]: '.*' does not match`),
		generated: 7},
	{oracle: validatorPackage, name: "digits beyond microseconds", we: accept, section: "2.16.1",
		why:  "s+ are one or more digits; the package compares such timestamps as texts",
		said: re(`must be later than`), in: re(`\.\d{7,}Z`),
		generated: 13},
	{oracle: validatorPackage, name: "leap seconds", we: accept, section: "2.16.1",
		why:       "RFC 3339 has them",
		said:      re(`second must be in 0\.\.59`),
		generated: 1},
	{oracle: validatorPackage, name: "language codes", we: accept, section: "3.2",
		why:       "every code that conforms to RFC 5646 is one; the package has a list of some two hundred",
		said:      re(`is not a valid RFC 5646 language code`),
		generated: 67},
	{oracle: validatorPackage, name: "suffixes of custom properties", we: accept, section: "3.1",
		why:       "what is binary or hexadecimal has a name that ends so; not everything whose name ends so is",
		said:      re(`_(hex|bin): `),
		generated: 21},
	{oracle: validatorPackage, name: "names of other types", we: accept, section: "11.1.1",
		why:       "on an object whose table does not have it, a property is a custom one, whatever it means elsewhere",
		said:      re(`Provided CPE value`),
		generated: 3},
	{oracle: validatorPackage, name: "hives inside of keys", we: accept, section: "6.17.1",
		why:       "the hive portion is expanded; the schema's expression finds the short forms anywhere",
		said:      re(`: key: '.*' should not be valid`),
		generated: 1},
	{oracle: validatorPackage, name: "names of character sets", we: accept, section: "3.9.1",
		why:       "IANA's registry does not tell upper from lower case; the package does",
		said:      re(`must be an IANA registered character set`),
		generated: 2},
	{oracle: validatorPackage, name: "media types", we: accept, section: "6.1.1",
		why:       "mime_type SHOULD be one of IANA's registry",
		said:      re(`mime_type`),
		generated: 2},
	{oracle: validatorPackage, name: "custom properties of PE headers", we: accept, section: "11.1.1",
		why:       "properties can be added to extensions",
		said:      re(`optional_header: Custom extension keys`),
		generated: 1},
	{oracle: validatorPackage, name: "names of EXIF tags", we: accept, section: "6.7.5.1",
		why:       "they are those that EXIF has; the schema wants a capital first",
		said:      re(`exif_tags: '.*' does not match`),
		generated: 1},
	{oracle: validatorPackage, name: "title of a process's window", we: accept, section: "6.13.2.1",
		why:  "Errata 01 names it windows_title, the schema window_title: both are taken",
		said: re(`windows-process-ext`), in: re(`"windows_title"`),
		generated: 1},
	{oracle: validatorPackage, name: "versions of TLSH", we: accept, section: "10.7",
		why:       "a TLSH is 35 bytes, before which newer tools write T1",
		said:      re(`hashes\.TLSH: 'T1`),
		generated: 1},

	{oracle: validatorPackage, name: "processes and keys by their time", we: accept, section: "6.13.1",
		why:  "created_time and modified_time are properties of their objects; the schemas ask for created and modified",
		said: re(`is not valid under any of the given schemas`), in: re(`"(created|modified)_time"`),
		generated: 2},
	{oracle: validatorPackage, name: "header fields that are lists of one", we: accept, section: "6.6.1",
		why:       "the value of each is always a list of strings; the schema wants two at least",
		said:      re(`additional_header_fields\.\S+: \['.*'\] is not valid`),
		generated: 1},
	{oracle: validatorPackage, name: "IPv4 in IPv6", we: accept, section: "6.9.1",
		why:       "RFC 4291 has this spelling of addresses; the schema's expression has it too, with d for \\d",
		said:      re(`value: '[0-9a-f:]+:\d+\.\d+\.\d+\.\d+' does not match`),
		generated: 1},

	// What we accept and stix2 refuses.
	{oracle: parserPackage, name: "end without is_active", we: accept, section: "6.12.1",
		why:       "is_active is optional; if it is there beside end, it is false",
		said:      re(`'is_active' must be False`),
		generated: 4},
	{oracle: parserPackage, name: "leap seconds and digits beyond microseconds", we: accept, section: "2.16.1",
		why:  "RFC 3339 has the former, and s+ are one or more digits",
		said: re(`must be a datetime object`), in: re(`:60|\.\d{7,}Z`),
		generated: 14},
	{oracle: parserPackage, name: "names of hash algorithms", we: accept, section: "2.7",
		why:  "a name that is not in the vocabulary is another algorithm; the package takes sha256 for SHA-256",
		said: re(`is not a valid SHA(256|224) hash`), in: re(`"(sha256|SHA-224)"`),
		generated: 5},
	{oracle: parserPackage, name: "observable containers", we: accept, section: "2.13",
		why:  "objects in a container refer to each other by its keys",
		said: re(`not a valid STIX identifier`), in: re(`"objects":\{"0"`),
		generated: 1},
	{oracle: parserPackage, name: "selectors", we: accept, section: "7.2.3.1",
		why:       "external_references.[0].source_name is the specification's example, keys may have capitals, and an index is any integer",
		said:      re(`must adhere to selector syntax|Selector (labels\.\[00\]|external_references\S+) in`),
		generated: 20},
	{oracle: parserPackage, name: "title of a process's window", we: accept, section: "6.13.2.1",
		why:  "Errata 01 names it windows_title, the package window_title: both are taken",
		said: re(`At least one of the \(aslr_enabled`), in: re(`"windows_title"`),
		generated: 6},
	{oracle: parserPackage, name: "versions of TLSH", we: accept, section: "10.7",
		why:       "a TLSH is 35 bytes, before which newer tools write T1",
		said:      re(`'T1\S+' is not a valid TLSH`),
		generated: 1},
	{oracle: parserPackage, name: "no octets", we: accept, section: "2.8",
		why:  "an array of octets in hexadecimal may have none: nought is an even number of digits",
		said: re(`must contain an even number of hexadecimal`), in: re(`_hex":""`),
		generated: 1},
	{oracle: parserPackage, name: "custom properties of statements", we: accept, section: "11.1.1",
		why:       "properties can be added; the package forbids it here alone",
		said:      re(`Unexpected properties for StatementMarking`),
		generated: 2},
	{oracle: parserPackage, name: "custom kinds of markings", we: accept, section: "7.2.1.1",
		why:       "definition_type is an open vocabulary, of which others SHOULD NOT come any more",
		said:      re(`definition_type must be a valid marking type`),
		generated: 1},
	{oracle: parserPackage, name: "granular markings inside of granular markings", we: accept, section: "7.2.3.1",
		why:       "there it is a custom property; selectors start at the object",
		said:      re(`Selector type in GranularMarking`),
		generated: 1},
}

// explain finds a disagreement for each thing that is said against the object, and gives that of the first.
func explain(oracle, text string, we, theirs []string) *disagreement {
	verdict, faults := refuse, we
	if len(we) == 0 {
		verdict, faults = accept, theirs
	}
	var first *disagreement
	for _, fault := range faults {
		d := explainOne(oracle, text, verdict, fault)
		if d == nil {
			return nil
		}
		if first == nil {
			first = d
		}
	}
	return first
}

func explainOne(oracle, text string, we verdict, fault string) *disagreement {
	for _, d := range disagreements {
		if d.oracle == oracle && d.we == we && (d.in == nil || d.in.MatchString(text)) && d.said.MatchString(fault) {
			return d
		}
	}
	return nil
}
