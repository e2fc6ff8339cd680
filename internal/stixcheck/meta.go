package stixcheck

// The relationship objects (section 5).
var relationObjects = map[string]*entry{
	"relationship": {class: relation, section: "5.1.2", properties: []property{
		{"relationship_type", required, relationshipType, ""},
		{"description", optional, text, ""},
		{"source_ref", required, relatedRef, ""},
		{"target_ref", required, relatedRef, ""},
		{"start_time", optional, timestamp, ""},
		{"stop_time", optional, timestamp, ""},
	}, rules: []rule{after("stop_time", "start_time"), advice("5.1.2", relationshipShould)}},

	"sighting": {class: relation, section: "5.2.1", properties: []property{
		{"description", optional, text, ""},
		{"first_seen", optional, timestamp, ""},
		{"last_seen", optional, timestamp, ""},
		{"count", optional, between(0, 999_999_999), ""},
		{"sighting_of_ref", required, sightedRef, ""},
		{"observed_data_refs", optional, list(ref("observed-data")), ""},
		{"where_sighted_refs", optional, list(ref("identity", "location")), ""},
		{"summary", optional, boolean, ""},
	}, rules: []rule{notBefore("last_seen", "first_seen")}},
}

// The meta objects (section 7).
var metaObjects = map[string]*entry{
	"language-content": {class: language, section: "7.1.1", properties: []property{
		{"object_ref", required, refNotTo("bundle", "language-content"), ""},
		{"object_modified", optional, timestamp, ""},
		{"contents", required, translations, ""},
	}},

	"marking-definition": {class: marking, section: "7.2.1.1", properties: []property{
		{"name", optional, text, ""},
		{"definition_type", optional, text, ""},
		{"definition", optional, dictionary(anything), ""},
	}, rules: []rule{
		{broken: definitionThere}, {section: "7.2.1.3", broken: statementThere}, {section: "7.2.1", broken: neverVersioned},
		broken("7.2.1.4", fixedTLP), broken("3.2", notMarkedByItself), advice("7.2.1.1", definitionShould)}},

	"extension-definition": {class: extension, section: "7.3.1", properties: []property{
		{"name", required, text, ""},
		{"description", should, text, ""},
		{"schema", required, text, ""},
		{"version", required, text, ""},
		{"extension_types", required, list(enum(extensionType)), ""},
		{"extension_properties", optional, list(propertyName), ""},
	}, rules: []rule{broken("7.3.1", topLevelProperties), advice("7.3.1", topLevelPropertiesShould)}},
}
