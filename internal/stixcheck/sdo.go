package stixcheck

// The STIX domain objects (section 4). Beside these properties they have the common ones of section 3.2.
var domainObjects = map[string]*entry{
	"attack-pattern": {class: domain, section: "4.1.1", properties: []property{
		{"name", required, text, ""},
		{"description", optional, text, ""},
		{"aliases", optional, list(text), ""},
		{"kill_chain_phases", optional, list(killChainPhase), ""},
	}, rules: []rule{languageShould}},

	"campaign": {class: domain, section: "4.2.1", properties: []property{
		{"name", required, text, ""},
		{"description", optional, text, ""},
		{"aliases", optional, list(text), ""},
		{"first_seen", optional, timestamp, ""},
		{"last_seen", optional, timestamp, ""},
		{"objective", optional, text, ""},
	}, rules: []rule{notBefore("last_seen", "first_seen"), languageShould}},

	"course-of-action": {class: domain, section: "4.3.1", properties: []property{
		{"name", required, text, ""},
		{"description", optional, text, ""},
	}, rules: []rule{languageShould}},

	"grouping": {class: domain, section: "4.4.1", properties: []property{
		{"name", optional, text, ""},
		{"description", optional, text, ""},
		{"context", required, open(groupingContext), ""},
		{"object_refs", required, list(anyRef), ""},
	}, rules: []rule{languageShould}},

	"identity": {class: domain, section: "4.5.1", properties: []property{
		{"name", required, text, ""},
		{"description", optional, text, ""},
		{"roles", optional, list(text), ""},
		{"identity_class", optional, open(identityClass), ""},
		{"sectors", optional, list(open(industrySector)), ""},
		{"contact_information", optional, text, ""},
	}, rules: []rule{languageShould}},

	"incident": {class: domain, section: "4.6.1", properties: []property{
		{"name", required, text, ""},
		{"description", optional, text, ""},
	}, rules: []rule{languageShould}},

	"indicator": {class: domain, section: "4.7.1", properties: []property{
		{"name", should, text, ""},
		{"description", should, text, ""},
		{"indicator_types", optional, list(open(indicatorType)), ""},
		{"pattern", required, text, ""},
		{"pattern_type", required, open(patternType), ""},
		{"pattern_version", optional, text, ""},
		{"valid_from", required, timestamp, ""},
		{"valid_until", optional, timestamp, ""},
		{"kill_chain_phases", optional, list(killChainPhase), ""},
	}, rules: []rule{after("valid_until", "valid_from"), broken("9.3", patternSyntax), languageShould,
		labelsAreNot("indicator_types", indicatorType)}},

	"infrastructure": {class: domain, section: "4.8.1", properties: []property{
		{"name", required, text, ""},
		{"description", optional, text, ""},
		{"infrastructure_types", optional, list(open(infrastructureType)), ""},
		{"aliases", optional, list(text), ""},
		{"kill_chain_phases", optional, list(killChainPhase), ""},
		{"first_seen", optional, timestamp, ""},
		{"last_seen", optional, timestamp, ""},
	}, rules: []rule{notBefore("last_seen", "first_seen"), languageShould,
		labelsAreNot("infrastructure_types", infrastructureType)}},

	"intrusion-set": {class: domain, section: "4.9.1", properties: []property{
		{"name", required, text, ""},
		{"description", optional, text, ""},
		{"aliases", optional, list(text), ""},
		{"first_seen", optional, timestamp, ""},
		{"last_seen", optional, timestamp, ""},
		{"goals", optional, list(text), ""},
		{"resource_level", optional, open(attackResourceLevel), ""},
		{"primary_motivation", optional, open(attackMotivation), ""},
		{"secondary_motivations", optional, list(open(attackMotivation)), ""},
	}, rules: []rule{notBefore("last_seen", "first_seen"), languageShould}},

	"location": {class: domain, section: "4.10.1", properties: []property{
		{"name", optional, text, ""},
		{"description", optional, text, ""},
		{"latitude", optional, numberBetween(-90, 90), ""},
		{"longitude", optional, numberBetween(-180, 180), ""},
		{"precision", optional, number, ""},
		{"region", optional, open(region), ""},
		{"country", optional, countryCode, ""},
		{"administrative_area", optional, subdivisionCode, ""},
		{"city", optional, text, ""},
		{"street_address", optional, text, ""},
		{"postal_code", optional, text, ""},
	}, rules: []rule{oneOf("region", "country", "latitude"), needs("latitude", "longitude"), needs("longitude", "latitude"),
		needs("precision", "latitude"), advice("4.10", precisionShould), languageShould}},

	"malware": {class: domain, section: "4.11.1", properties: []property{
		{"name", optional, text, ""},
		{"description", optional, text, ""},
		{"malware_types", optional, list(open(malwareType)), ""},
		{"is_family", ought, boolean, ""}, // MITRE's ATT&CK as it comes from STIX 2.0 has none
		{"aliases", optional, list(text), ""},
		{"kill_chain_phases", optional, list(killChainPhase), ""},
		{"first_seen", optional, timestamp, ""},
		{"last_seen", optional, timestamp, ""},
		{"operating_system_refs", optional, list(ref("software")), ""},
		{"architecture_execution_envs", optional, list(open(processorArchitecture)), ""},
		{"implementation_languages", optional, list(open(implementationLanguage)), ""},
		{"capabilities", optional, list(open(malwareCapabilities)), ""},
		{"sample_refs", optional, list(ref("file", "artifact")), ""},
	}, rules: []rule{{broken: familyName}, notBefore("last_seen", "first_seen"), languageShould,
		labelsAreNot("malware_types", malwareType)}},

	"malware-analysis": {class: domain, section: "4.12.1", properties: []property{
		{"product", required, hyphenated, ""},
		{"version", optional, text, ""},
		{"host_vm_ref", optional, ref("software"), ""},
		{"operating_system_ref", optional, ref("software"), ""},
		{"installed_software_refs", optional, list(ref("software")), ""},
		{"configuration_version", optional, text, ""},
		{"modules", optional, list(text), ""},
		{"analysis_engine_version", optional, text, ""},
		{"analysis_definition_version", optional, text, ""},
		{"submitted", optional, timestamp, ""},
		{"analysis_started", optional, timestamp, ""},
		{"analysis_ended", optional, timestamp, ""},
		{"result_name", optional, text, ""},
		{"result", optional, open(malwareResult), ""},
		{"analysis_sco_refs", optional, list(observableRef), ""},
		{"sample_ref", optional, ref("file", "artifact", "network-traffic"), ""},
	}, rules: []rule{oneOf("result", "analysis_sco_refs")}},

	"note": {class: domain, section: "4.13.1", properties: []property{
		{"abstract", optional, text, ""},
		{"content", required, text, ""},
		{"authors", optional, list(text), ""},
		{"object_refs", required, list(anyRef), ""},
	}, rules: []rule{languageShould}},

	"observed-data": {class: domain, section: "4.14.1", properties: []property{
		{"first_observed", required, timestamp, ""},
		{"last_observed", required, timestamp, ""},
		{"number_observed", required, between(1, 999_999_999), ""},
		{"objects", optional, container, ""},
		{"object_refs", optional, list(observedRef), ""},
	}, rules: []rule{oneOf("objects", "object_refs"), exclusive("objects", "object_refs"),
		notBefore("last_observed", "first_observed"), broken("4.14.1", observesSomething)}},

	"opinion": {class: domain, section: "4.15.1", properties: []property{
		{"explanation", optional, text, ""},
		{"authors", optional, list(text), ""},
		{"opinion", required, enum(opinion), ""},
		{"object_refs", required, list(anyRef), ""},
	}, rules: []rule{languageShould}},

	"report": {class: domain, section: "4.16.1", properties: []property{
		{"name", required, text, ""},
		{"description", optional, text, ""},
		{"report_types", optional, list(open(reportType)), ""},
		{"published", required, timestamp, ""},
		{"object_refs", required, list(anyRef), ""},
	}, rules: []rule{languageShould, labelsAreNot("report_types", reportType)}},

	"threat-actor": {class: domain, section: "4.17.1", properties: []property{
		{"name", required, text, ""},
		{"description", optional, text, ""},
		{"threat_actor_types", optional, list(open(threatActorType)), ""},
		{"aliases", optional, list(text), ""},
		{"first_seen", optional, timestamp, ""},
		{"last_seen", optional, timestamp, ""},
		{"roles", optional, list(open(threatActorRole)), ""},
		{"goals", optional, list(text), ""},
		{"sophistication", optional, open(threatActorSophistication), ""},
		{"resource_level", optional, open(attackResourceLevel), ""},
		{"primary_motivation", optional, open(attackMotivation), ""},
		{"secondary_motivations", optional, list(open(attackMotivation)), ""},
		{"personal_motivations", optional, list(open(attackMotivation)), ""},
	}, rules: []rule{notBefore("last_seen", "first_seen"), languageShould,
		labelsAreNot("threat_actor_types", threatActorType)}},

	"tool": {class: domain, section: "4.18.1", properties: []property{
		{"name", required, text, ""},
		{"description", optional, text, ""},
		{"tool_types", optional, list(open(toolType)), ""},
		{"aliases", optional, list(text), ""},
		{"kill_chain_phases", optional, list(killChainPhase), ""},
		{"tool_version", optional, text, ""},
	}, rules: []rule{languageShould, labelsAreNot("tool_types", toolType)}},

	"vulnerability": {class: domain, section: "4.19.1", properties: []property{
		{"name", required, text, ""},
		{"description", optional, text, ""},
	}, rules: []rule{languageShould}},
}
