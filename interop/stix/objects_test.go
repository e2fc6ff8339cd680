package stix

import (
	"encoding/json"
	"testing"
)

// object is one decoded from JSON.
type object = map[string]any

const (
	u4 = "b346b4b3-f4b7-4235-b659-f985f65f0009"
	v4 = "0c7b5b88-8ff7-4a4d-aa9d-feb398cd0061"
	u5 = "28bb3599-77cd-5a82-a950-b5bc3caf07c4"
)

// versioned are the properties of objects that have versions; they stand in front of those of the type.
const versioned = `"spec_version":"2.1","created":"2016-05-12T08:17:27.000Z","modified":"2017-05-12T08:17:27.123456Z",
	"created_by_ref":"identity--` + u4 + `","revoked":false,"labels":["a","b c"],"confidence":55,"lang":"en",
	"external_references":[{"source_name":"veris","external_id":"0001AA7F","url":"https://example.com/a/b.json?q=1#f",
		"hashes":{"SHA-256":"6db12788c37247f2316052e142f42f4b259d6561751e5f401a1ae2a6df9c674b"}},{"source_name":"acme","description":"d"}],
	"object_marking_refs":["marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"],
	"granular_markings":[{"marking_ref":"marking-definition--` + v4 + `","selectors":["labels.[1]","spec_version"]}],
	"extensions":{"extension-definition--` + v4 + `":{"extension_type":"property-extension","rank":5}},
	"x_example_com_score":10,`

// observed are those of observables.
const observed = `"spec_version":"2.1","object_marking_refs":["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"],
	"granular_markings":[{"marking_ref":"marking-definition--` + v4 + `","selectors":["spec_version"]}],"defanged":false,
	"x_example_com_seen":true,`

const seen = `"first_seen":"2016-01-01T00:00:00Z","last_seen":"2016-01-01T00:00:00.5Z",`

const phases = `"kill_chain_phases":[{"kill_chain_name":"foo","phase_name":"pre-attack"}],`

// templates are objects that have every property of their type, of which the generator takes some away.
var templates = []string{
	`{"type":"attack-pattern","id":"attack-pattern--` + u4 + `",` + versioned + phases + `"name":"n","description":"d","aliases":["a"]}`,
	`{"type":"attack-pattern","id":"attack-pattern--` + u4 + `","spec_version":"2.1","created":"2016-05-12T08:17:27.000Z","modified":"2016-05-12T08:17:27.000Z",
		"name":"n","external_references":[{"source_name":"capec","external_id":"CAPEC-163"}]}`,
	`{"type":"campaign","id":"campaign--` + u4 + `",` + versioned + seen + `"name":"n","description":"d","aliases":["a"],"objective":"o"}`,
	`{"type":"course-of-action","id":"course-of-action--` + u4 + `",` + versioned + `"name":"n","description":"d"}`,
	`{"type":"grouping","id":"grouping--` + u4 + `",` + versioned + `"name":"n","description":"d","context":"suspicious-activity","object_refs":["indicator--` + u4 + `","file--` + u5 + `"]}`,
	`{"type":"identity","id":"identity--` + u4 + `",` + versioned + `"name":"n","description":"d","roles":["r"],"identity_class":"organization","sectors":["energy"],"contact_information":"c"}`,
	`{"type":"incident","id":"incident--` + u4 + `",` + versioned + `"name":"n","description":"d"}`,
	`{"type":"indicator","id":"indicator--` + u4 + `",` + versioned + phases + `"name":"n","description":"d","indicator_types":["benign"],"pattern":"[file:hashes.MD5 = '3773a88f65a5e780c8dff9cdc3a056f3']",
		"pattern_type":"stix","pattern_version":"2.1","valid_from":"2016-01-01T00:00:00Z","valid_until":"2017-01-01T00:00:00Z"}`,
	`{"type":"infrastructure","id":"infrastructure--` + u4 + `",` + versioned + phases + seen + `"name":"n","description":"d","infrastructure_types":["botnet"],"aliases":["a"]}`,
	`{"type":"intrusion-set","id":"intrusion-set--` + u4 + `",` + versioned + seen + `"name":"n","description":"d","aliases":["a"],"goals":["g"],"resource_level":"team",
		"primary_motivation":"revenge","secondary_motivations":["ideology"]}`,
	`{"type":"location","id":"location--` + u4 + `",` + versioned + `"name":"n","description":"d","latitude":48.8566,"longitude":-2.5,"precision":5,"region":"africa","country":"th",
		"administrative_area":"TH-63","city":"c","street_address":"s","postal_code":"63170"}`,
	`{"type":"malware","id":"malware--` + u4 + `",` + versioned + phases + seen + `"name":"n","description":"d","malware_types":["worm"],"is_family":true,"aliases":["a"],
		"operating_system_refs":["software--` + u5 + `"],"architecture_execution_envs":["x86"],"implementation_languages":["c"],"capabilities":["anti-vm"],"sample_refs":["file--` + u5 + `","artifact--` + u5 + `"]}`,
	`{"type":"malware-analysis","id":"malware-analysis--` + u4 + `",` + versioned + `"product":"p","version":"1","host_vm_ref":"software--` + u5 + `","operating_system_ref":"software--` + u5 + `",
		"installed_software_refs":["software--` + u5 + `"],"configuration_version":"c","modules":["m"],"analysis_engine_version":"1","analysis_definition_version":"1",
		"submitted":"2016-01-01T00:00:00Z","analysis_started":"2016-01-01T00:00:00Z","analysis_ended":"2016-01-01T00:00:00Z","result_name":"r","result":"benign",
		"analysis_sco_refs":["url--` + u5 + `"],"sample_ref":"network-traffic--` + u5 + `"}`,
	`{"type":"note","id":"note--` + u4 + `",` + versioned + `"abstract":"a","content":"c","authors":["x"],"object_refs":["relationship--` + u4 + `"]}`,
	`{"type":"observed-data","id":"observed-data--` + u4 + `",` + versioned + `"first_observed":"2016-01-01T00:00:00Z","last_observed":"2016-01-01T00:00:00Z","number_observed":1,
		"object_refs":["file--` + u5 + `","relationship--` + u4 + `"]}`,
	`{"type":"opinion","id":"opinion--` + u4 + `",` + versioned + `"explanation":"e","authors":["x"],"opinion":"agree","object_refs":["tool--` + u4 + `"]}`,
	`{"type":"report","id":"report--` + u4 + `",` + versioned + `"name":"n","description":"d","report_types":["campaign"],"published":"2016-01-01T00:00:00Z","object_refs":["tool--` + u4 + `"]}`,
	`{"type":"threat-actor","id":"threat-actor--` + u4 + `",` + versioned + seen + `"name":"n","description":"d","threat_actor_types":["spy"],"aliases":["a"],"roles":["agent"],"goals":["g"],
		"sophistication":"none","resource_level":"club","primary_motivation":"ideology","secondary_motivations":["revenge"],"personal_motivations":["coercion"]}`,
	`{"type":"tool","id":"tool--` + u4 + `",` + versioned + phases + `"name":"n","description":"d","tool_types":["exploitation"],"aliases":["a"],"tool_version":"1"}`,
	`{"type":"vulnerability","id":"vulnerability--` + u4 + `",` + versioned + `"name":"n","description":"d"}`,
	`{"type":"vulnerability","id":"vulnerability--` + u4 + `","spec_version":"2.1","created":"2016-05-12T08:17:27.000Z","modified":"2016-05-12T08:17:27.000Z",
		"name":"n","external_references":[{"source_name":"cve","external_id":"CVE-2016-1234","url":"http://example.com"}]}`,
	`{"type":"relationship","id":"relationship--` + u4 + `",` + versioned + `"relationship_type":"uses","description":"d","source_ref":"malware--` + u4 + `","target_ref":"tool--` + u4 + `",
		"start_time":"2016-01-01T00:00:00Z","stop_time":"2016-01-01T00:00:01Z"}`,
	`{"type":"sighting","id":"sighting--` + u4 + `",` + versioned + seen + `"description":"d","count":3,"sighting_of_ref":"indicator--` + u4 + `","observed_data_refs":["observed-data--` + u4 + `"],
		"where_sighted_refs":["identity--` + u4 + `","location--` + u4 + `"],"summary":false}`,
	`{"type":"language-content","id":"language-content--` + u4 + `","spec_version":"2.1","created":"2016-05-12T08:17:27.000Z","modified":"2016-05-12T08:17:27.000Z","confidence":3,
		"object_ref":"campaign--` + u4 + `","object_modified":"2017-02-08T21:31:22.007Z","contents":{"de":{"name":"n","goals":["g",""]},"fr":{"description":"d"}}}`,
	`{"type":"marking-definition","id":"marking-definition--` + u4 + `","spec_version":"2.1","created":"2016-08-01T00:00:00.000Z","name":"n","created_by_ref":"identity--` + u4 + `",
		"definition_type":"statement","definition":{"statement":"Copyright"},"object_marking_refs":["marking-definition--` + v4 + `"],
		"external_references":[{"source_name":"a","description":"d"}]}`,
	`{"type":"marking-definition","id":"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da","spec_version":"2.1","created":"2017-01-20T00:00:00.000Z","name":"TLP:GREEN",
		"definition_type":"tlp","definition":{"tlp":"green"}}`,
	`{"type":"marking-definition","id":"marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003","spec_version":"2.1","created":"2022-10-01T00:00:00.000Z","name":"TLP:AMBER+STRICT",
		"extensions":{"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d":{"extension_type":"property-extension","tlp_2_0":"amber+strict"}}}`,
	`{"type":"extension-definition","id":"extension-definition--` + u4 + `","spec_version":"2.1","created":"2016-05-12T08:17:27.000Z","modified":"2016-05-12T08:17:27.000Z",
		"created_by_ref":"identity--` + u4 + `","name":"n","description":"d","schema":"https://example.com/s","version":"1.2.1","extension_types":["toplevel-property-extension","new-sdo"],"extension_properties":["rank","toxicity"]}`,
	`{"type":"x-example-com-thing","id":"x-example-com-thing--` + u4 + `",` + versioned + `"some_stuff":14,"other":[1,{"a":"b"}]}`,
	`{"type":"my-favorite-sco","id":"my-favorite-sco--` + u5 + `","name":"n","extensions":{"extension-definition--` + v4 + `":{"extension_type":"new-sco"}}}`,

	`{"type":"artifact","id":"artifact--` + u5 + `",` + observed + `"mime_type":"image/jpeg","payload_bin":"VBORw0KGgoAAAANSUhEUgAAADI=","hashes":{"MD5":"3773a88f65a5e780c8dff9cdc3a056f3"},
		"encryption_algorithm":"mime-type-indicated","decryption_key":"k"}`,
	`{"type":"artifact","id":"artifact--` + u5 + `","mime_type":"application/zip","url":"http://example.com/a","hashes":{"SHA-1":"5374e08903744ceeaedd8f5e1bfc06b2c4688e76"}}`,
	`{"type":"autonomous-system","id":"autonomous-system--` + u5 + `",` + observed + `"number":15139,"name":"n","rir":"ARIN"}`,
	`{"type":"directory","id":"directory--` + u5 + `",` + observed + `"path":"C:\\Windows","path_enc":"windows-1252","ctime":"2016-01-01T00:00:00Z","mtime":"2016-01-01T00:00:00Z","atime":"2016-01-01T00:00:00Z",
		"contains_refs":["file--` + u5 + `","directory--` + u5 + `"]}`,
	`{"type":"domain-name","id":"domain-name--` + u5 + `",` + observed + `"value":"example.com","resolves_to_refs":["ipv4-addr--` + u5 + `"]}`,
	`{"type":"email-addr","id":"email-addr--` + u5 + `",` + observed + `"value":"john@example.com","display_name":"John","belongs_to_ref":"user-account--` + u5 + `"}`,
	`{"type":"email-message","id":"email-message--` + u5 + `",` + observed + `"is_multipart":true,"date":"1997-11-21T15:55:06.000Z","content_type":"multipart/mixed","from_ref":"email-addr--` + u5 + `",
		"sender_ref":"email-addr--` + u5 + `","to_refs":["email-addr--` + u5 + `"],"cc_refs":["email-addr--` + u5 + `"],"bcc_refs":["email-addr--` + u5 + `"],"message_id":"m","subject":"s","received_lines":["r"],
		"additional_header_fields":{"Reply-To":["steve@example.com","jane@example.com"]},"body_multipart":[{"content_type":"text/plain","content_disposition":"inline","body":"b"},
		{"content_type":"image/png","body_raw_ref":"artifact--` + u5 + `"}],"raw_email_ref":"artifact--` + u5 + `"}`,
	`{"type":"email-message","id":"email-message--` + u5 + `","is_multipart":false,"subject":"s","body":"b"}`,
	`{"type":"file","id":"file--` + u5 + `",` + observed + `"hashes":{"SHA-256":"6db12788c37247f2316052e142f42f4b259d6561751e5f401a1ae2a6df9c674b","SSDEEP":"96:s4Ud1Lj96tHHlZDrwciQmA+4uy1I0G4HYuL8N3TzS8QsO/wqWXLcMSx:sF1LjEtHHlZDrJzrhuyZvHYm8tKp/RWO",
		"TLSH":"6FF02BEF718027B0160B4391212923ED7F1A463D563B1549B86CF62973B197AD2731F8"},"size":25537,"name":"foo.dll","name_enc":"windows-1252","magic_number_hex":"504b0304","mime_type":"application/msword",
		"ctime":"2016-01-01T00:00:00Z","mtime":"2016-01-01T00:00:00Z","atime":"2016-01-01T00:00:00Z","parent_directory_ref":"directory--` + u5 + `","contains_refs":["ipv4-addr--` + u5 + `"],"content_ref":"artifact--` + u5 + `",
		"extensions":{"archive-ext":{"contains_refs":["file--` + u5 + `","directory--` + u5 + `"],"comment":"c"},"ntfs-ext":{"sid":"1","alternate_data_streams":[{"name":"second.stream","size":25536,
		"hashes":{"MD5":"3773a88f65a5e780c8dff9cdc3a056f3"}}]}}}`,
	`{"type":"file","id":"file--` + u5 + `","name":"picture.jpg","extensions":{"pdf-ext":{"version":"1.7","is_optimized":true,"document_info_dict":{"Title":"t"},"pdfid0":"D","pdfid1":"5"},
		"raster-image-ext":{"image_height":1,"image_width":2,"bits_per_pixel":3,"exif_tags":{"Make":"Nikon","XResolution":4928}},"x-example-com-foo-ext":{"foo_val":"foo"}}}`,
	`{"type":"file","id":"file--` + u5 + `","name":"example.exe","extensions":{"windows-pebinary-ext":{"pe_type":"exe","imphash":"i","machine_hex":"014c","number_of_sections":4,"time_date_stamp":"2016-01-22T12:31:12Z",
		"pointer_to_symbol_table_hex":"74726144","number_of_symbols":4542568,"size_of_optional_header":224,"characteristics_hex":"818f","file_header_hashes":{"SHA3-256":"6db12788c37247f2316052e142f42f4b259d6561751e5f401a1ae2a6df9c674b"},
		"optional_header":{"magic_hex":"010b","major_linker_version":2,"size_of_code":512,"checksum_hex":"00","number_of_rva_and_sizes":3758087646,"hashes":{"SHA-1":"5374e08903744ceeaedd8f5e1bfc06b2c4688e76"}},
		"sections":[{"name":"CODE","entropy":0.061089,"size":5,"hashes":{"MD5":"3773a88f65a5e780c8dff9cdc3a056f3"}}]}}}`,
	`{"type":"ipv4-addr","id":"ipv4-addr--` + u5 + `",` + observed + `"value":"198.51.100.0/24","resolves_to_refs":["mac-addr--` + u5 + `"],"belongs_to_refs":["autonomous-system--` + u5 + `"]}`,
	`{"type":"ipv6-addr","id":"ipv6-addr--` + u5 + `",` + observed + `"value":"2001:0db8::/96","resolves_to_refs":["mac-addr--` + u5 + `"],"belongs_to_refs":["autonomous-system--` + u5 + `"]}`,
	`{"type":"mac-addr","id":"mac-addr--` + u5 + `",` + observed + `"value":"d2:fb:49:24:37:18"}`,
	`{"type":"mutex","id":"mutex--` + u5 + `",` + observed + `"name":"__CLEANSWEEP__"}`,
	`{"type":"network-traffic","id":"network-traffic--` + u5 + `",` + observed + `"start":"2016-01-01T00:00:00Z","end":"2016-01-01T00:00:00Z","is_active":false,"src_ref":"ipv4-addr--` + u5 + `","dst_ref":"domain-name--` + u5 + `",
		"src_port":2487,"dst_port":1723,"protocols":["ipv4","tcp"],"src_byte_count":1,"dst_byte_count":2,"src_packets":3,"dst_packets":4,"ipfix":{"minimumIpTotalLength":32,"x":"y"},
		"src_payload_ref":"artifact--` + u5 + `","dst_payload_ref":"artifact--` + u5 + `","encapsulates_refs":["network-traffic--` + u5 + `"],"encapsulated_by_ref":"network-traffic--` + u5 + `",
		"extensions":{"http-request-ext":{"request_method":"get","request_value":"/d","request_version":"http/1.1","request_header":{"Accept-Encoding":["gzip,deflate"],"Host":["h","i"]},"message_body_length":5,
		"message_body_data_ref":"artifact--` + u5 + `"},"tcp-ext":{"src_flags_hex":"00000002","dst_flags_hex":"00"}}}`,
	`{"type":"network-traffic","id":"network-traffic--` + u5 + `","src_ref":"ipv6-addr--` + u5 + `","protocols":["icmp"],"extensions":{"icmp-ext":{"icmp_type_hex":"08","icmp_code_hex":"00"},
		"socket-ext":{"is_listening":true,"is_blocking":false,"address_family":"AF_INET","socket_type":"SOCK_STREAM","options":{"SO_KEEPALIVE":5},"socket_descriptor":3,"socket_handle":4}}}`,
	`{"type":"process","id":"process--` + u4 + `",` + observed + `"is_hidden":false,"pid":314,"created_time":"2016-01-20T14:11:25.55Z","cwd":"/","command_line":"c","environment_variables":{"PATH":"/bin"},
		"opened_connection_refs":["network-traffic--` + u5 + `"],"creator_user_ref":"user-account--` + u5 + `","image_ref":"file--` + u5 + `","parent_ref":"process--` + u4 + `","child_refs":["process--` + u4 + `"],
		"extensions":{"windows-process-ext":{"aslr_enabled":true,"dep_enabled":true,"priority":"HIGH_PRIORITY_CLASS","owner_sid":"S-1","window_title":"t","startup_info":{"cb":1,"lpDesktop":"d"},"integrity_level":"low"},
		"windows-service-ext":{"service_name":"s","descriptions":["d"],"display_name":"d","group_name":"g","start_type":"SERVICE_AUTO_START","service_dll_refs":["file--` + u5 + `"],
		"service_type":"SERVICE_WIN32_OWN_PROCESS","service_status":"SERVICE_RUNNING"}}}`,
	`{"type":"software","id":"software--` + u5 + `",` + observed + `"name":"Word","cpe":"cpe:2.3:a:microsoft:word:2000:*:*:*:*:*:*:*","swid":"s","languages":["en","de"],"vendor":"v","version":"2002"}`,
	`{"type":"url","id":"url--` + u5 + `",` + observed + `"value":"https://example.com/research/index.html"}`,
	`{"type":"user-account","id":"user-account--` + u5 + `",` + observed + `"user_id":"1001","credential":"c","account_login":"jdoe","account_type":"unix","display_name":"J","is_service_account":false,"is_privileged":false,
		"can_escalate_privs":true,"is_disabled":false,"account_created":"2016-01-20T12:31:12Z","account_expires":"2016-01-20T12:31:12Z","credential_last_changed":"2016-01-20T14:27:43Z",
		"account_first_login":"2016-01-20T14:26:07Z","account_last_login":"2016-07-22T16:08:28Z","extensions":{"unix-account-ext":{"gid":1001,"groups":["wheel"],"home_dir":"/home/jdoe","shell":"/bin/bash"}}}`,
	`{"type":"windows-registry-key","id":"windows-registry-key--` + u5 + `",` + observed + `"key":"HKEY_LOCAL_MACHINE\\System\\Foo","values":[{"name":"Foo","data":"qwerty","data_type":"REG_SZ"},{"name":"","data":"42"}],
		"modified_time":"2016-01-20T14:11:25Z","creator_user_ref":"user-account--` + u5 + `","number_of_subkeys":3}`,
	`{"type":"x509-certificate","id":"x509-certificate--` + u5 + `",` + observed + `"is_self_signed":false,"hashes":{"SHA-512":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
		"version":"3","serial_number":"36:f7","signature_algorithm":"a","issuer":"i","validity_not_before":"2016-03-12T12:00:00Z","validity_not_after":"2016-08-21T12:00:00Z","subject":"s","subject_public_key_algorithm":"a",
		"subject_public_key_modulus":"m","subject_public_key_exponent":65537,"x509_v3_extensions":{"basic_constraints":"critical","key_usage":"k","private_key_usage_period_not_before":"2016-03-12T12:00:00Z"}}`,
}

// examples have what chance seldom makes; they are asked about as they are.
var examples = []string{
	`{"type":"tool","id":"tool--` + u4 + `",` + plainly + `"name":"n","defanged":true}`,
	`{"type":"tool","id":"tool--` + u4 + `",` + plainly + `"name":"n","x_leap":"2016-12-31T23:59:60Z"}`,
	`{"type":"tool","id":"tool--` + u4 + `","spec_version":"2.1","created":"2016-12-31T23:59:59.000Z","modified":"2016-12-31T23:59:60.000Z","name":"n"}`,
	`{"type":"windows-registry-key","id":"windows-registry-key--` + u5 + `","key":"HKEY_LOCAL_MACHINE\\HKCU\\x"}`,
	`{"type":"x-own","id":"x-own--` + u4 + `",` + plainly[:len(plainly)-1] + `}`,
	`{"type":"file","id":"file--` + u5 + `","hashes":{"sha256":"x"},"magic_number_hex":""}`,
	`{"type":"tool","id":"tool--` + u4 + `",` + plainly + `"name":"n","granular_markings":[{"lang":"de","selectors":["name"],"granular_markings":[{"lang":"de","selectors":["type"]}]}]}`,
	`{"type":"relationship","id":"relationship--` + u4 + `",` + plainly + `"relationship_type":"uses","source_ref":"malware--` + u4 + `","target_ref":"extension-definition--` + u4 + `"}`,
	`{"type":"sighting","id":"sighting--` + u4 + `",` + plainly + `"sighting_of_ref":"url--` + u5 + `"}`,
	`{"type":"process","id":"process--` + u4 + `","created_time":"2016-12-31T23:59:59Z"}`,
	`{"type":"windows-registry-key","id":"windows-registry-key--` + u4 + `","modified_time":"2016-12-31T23:59:59Z"}`,
	`{"type":"observed-data","id":"observed-data--` + u4 + `",` + plainly + `"first_observed":"2016-01-01T00:00:00Z","last_observed":"2016-01-01T00:00:00Z","number_observed":1,
		"objects":{"0":{"type":"ipv4-addr","value":"198.51.100.2"},"1":{"type":"network-traffic","dst_ref":"0","protocols":["tcp"]}}}`,
	`{"type":"email-message","id":"email-message--` + u5 + `","is_multipart":false,"subject":"s","additional_header_fields":{"A":["b"]}}`,
	`{"type":"ipv6-addr","id":"ipv6-addr--` + u5 + `","value":"::ffff:1.2.3.4"}`,
	`{"type":"domain-name","id":"domain-name--` + u5 + `","value":"b\u00fccher.example"}`,
	`{"type":"email-addr","id":"email-addr--` + u5 + `","value":"John <john@example.com>"}`,
	`{"type":"url","id":"url--` + u5 + `","created":"2016-12-31T23:59:59.000Z","modified":"2016-12-31T23:59:59.000Z","value":"http://example.com/"}`,
}

const plainly = `"spec_version":"2.1","created":"2016-05-12T08:17:27.000Z","modified":"2016-05-12T08:17:27.000Z",`

// decoded are the templates, ready to be copied.
func decoded(t *testing.T) []object {
	t.Helper()
	var all []object
	for _, text := range templates {
		var o object
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		all = append(all, o)
	}
	return all
}
