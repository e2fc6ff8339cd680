package stixcheck

// The predefined extensions of observables (section 3.10). What bears such a name is one, on whatever observable.
var predefinedExtensions = map[string]*entry{
	"archive-ext": archiveExt, "ntfs-ext": ntfsExt, "pdf-ext": pdfExt, "raster-image-ext": rasterImageExt,
	"windows-pebinary-ext": windowsPEBinaryExt, "http-request-ext": httpRequestExt, "icmp-ext": icmpExt,
	"socket-ext": socketExt, "tcp-ext": tcpExt, "windows-process-ext": windowsProcessExt,
	"windows-service-ext": windowsServiceExt, "unix-account-ext": unixAccountExt,
}

var archiveExt = (&entry{section: "6.7.2.1", properties: []property{
	{"contains_refs", required, list(ref("file", "directory")), ""},
	{"comment", optional, text, ""},
}}).prepared()

var ntfsExt = (&entry{section: "6.7.3.1", some: true, properties: []property{
	{"sid", optional, text, ""},
	{"alternate_data_streams", optional, list(alternateDataStream), ""},
}}).prepared()

var alternateDataStreams = (&entry{section: "6.7.3.2", properties: []property{
	{"name", required, text, ""},
	{"hashes", optional, hashes, ""},
	{"size", optional, natural, ""},
}}).prepared()

func alternateDataStream(c *checker, n *node) { c.record(n, alternateDataStreams) }

var pdfExt = (&entry{section: "6.7.4.1", some: true, properties: []property{
	{"version", optional, text, ""},
	{"is_optimized", optional, boolean, ""},
	{"document_info_dict", optional, dictionary(text), ""},
	{"pdfid0", optional, text, ""},
	{"pdfid1", optional, text, ""},
}}).prepared()

var rasterImageExt = (&entry{section: "6.7.5.1", some: true, properties: []property{
	{"image_height", optional, integer, ""},
	{"image_width", optional, integer, ""},
	{"bits_per_pixel", optional, integer, ""},
	{"exif_tags", optional, dictionary(textOrInteger), ""},
}}).prepared()

var windowsPEBinaryExt = (&entry{section: "6.7.6.1", some: true, properties: []property{
	{"pe_type", required, open(windowsPEBinary), ""},
	{"imphash", optional, text, ""},
	{"machine_hex", optional, hexadecimal, ""},
	{"number_of_sections", optional, natural, ""},
	{"time_date_stamp", optional, toTheSecond, ""},
	{"pointer_to_symbol_table_hex", optional, hexadecimal, ""},
	{"number_of_symbols", optional, natural, ""},
	{"size_of_optional_header", optional, natural, ""},
	{"characteristics_hex", optional, hexadecimal, ""},
	{"file_header_hashes", optional, hashes, ""},
	{"optional_header", optional, peOptionalHeader, ""},
	{"sections", optional, list(peSection), ""},
}}).prepared()

var peOptionalHeaders = (&entry{section: "6.7.6.2", some: true, properties: []property{
	{"magic_hex", optional, hexadecimal, ""},
	{"major_linker_version", optional, integer, ""},
	{"minor_linker_version", optional, integer, ""},
	{"size_of_code", optional, natural, ""},
	{"size_of_initialized_data", optional, natural, ""},
	{"size_of_uninitialized_data", optional, natural, ""},
	{"address_of_entry_point", optional, integer, ""},
	{"base_of_code", optional, integer, ""},
	{"base_of_data", optional, integer, ""},
	{"image_base", optional, integer, ""},
	{"section_alignment", optional, integer, ""},
	{"file_alignment", optional, integer, ""},
	{"major_os_version", optional, integer, ""},
	{"minor_os_version", optional, integer, ""},
	{"major_image_version", optional, integer, ""},
	{"minor_image_version", optional, integer, ""},
	{"major_subsystem_version", optional, integer, ""},
	{"minor_subsystem_version", optional, integer, ""},
	{"win32_version_value_hex", optional, hexadecimal, ""},
	{"size_of_image", optional, natural, ""},
	{"size_of_headers", optional, natural, ""},
	{"checksum_hex", optional, hexadecimal, ""},
	{"subsystem_hex", optional, hexadecimal, ""},
	{"dll_characteristics_hex", optional, hexadecimal, ""},
	{"size_of_stack_reserve", optional, natural, ""},
	{"size_of_stack_commit", optional, natural, ""},
	{"size_of_heap_reserve", optional, natural, ""},
	{"size_of_heap_commit", optional, natural, ""},
	{"loader_flags_hex", optional, hexadecimal, ""},
	{"number_of_rva_and_sizes", optional, integer, ""},
	{"hashes", optional, hashes, ""},
}}).prepared()

func peOptionalHeader(c *checker, n *node) { c.record(n, peOptionalHeaders) }

var peSections = (&entry{section: "6.7.6.3", properties: []property{
	{"name", required, text, ""},
	{"size", optional, natural, ""},
	{"entropy", optional, number, ""},
	{"hashes", optional, hashes, ""},
}}).prepared()

func peSection(c *checker, n *node) { c.record(n, peSections) }

var httpRequestExt = (&entry{section: "6.12.2.1", properties: []property{
	{"request_method", required, text, ""},
	{"request_value", required, text, ""},
	{"request_version", optional, text, ""},
	{"request_header", optional, dictionary(list(text)), ""},
	{"message_body_length", optional, integer, ""},
	{"message_body_data_ref", optional, ref("artifact"), ""},
}}).prepared()

var icmpExt = (&entry{section: "6.12.3.1", properties: []property{
	{"icmp_type_hex", required, hexadecimal, ""},
	{"icmp_code_hex", required, hexadecimal, ""},
}}).prepared()

var socketExt = (&entry{section: "6.12.4.1", properties: []property{
	{"address_family", required, enum(socketAddressFamily), ""},
	{"is_blocking", optional, boolean, ""},
	{"is_listening", optional, boolean, ""},
	{"options", optional, dictionary(integer), ""},
	{"socket_type", optional, enum(socketType), ""},
	{"socket_descriptor", optional, natural, ""},
	{"socket_handle", optional, integer, ""},
}}).prepared()

var tcpExt = (&entry{section: "6.12.5.1", some: true, properties: []property{
	{"src_flags_hex", optional, hexadecimal, ""},
	{"dst_flags_hex", optional, hexadecimal, ""},
}}).prepared()

var windowsProcessExt = (&entry{section: "6.13.2.1", some: true, properties: []property{
	{"aslr_enabled", optional, boolean, ""},
	{"dep_enabled", optional, boolean, ""},
	{"priority", optional, priorityClass, ""},
	{"owner_sid", optional, text, ""},
	{"window_title", optional, text, ""},  // so the standard of 2021 and the JSON schemas
	{"windows_title", optional, text, ""}, // so Errata 01
	{"startup_info", optional, dictionary(anything), ""},
	{"integrity_level", optional, enum(windowsIntegrityLevel), ""},
}}).prepared()

var windowsServiceExt = (&entry{section: "6.13.3.1", some: true, properties: []property{
	{"service_name", optional, text, ""},
	{"descriptions", optional, list(text), ""},
	{"display_name", optional, text, ""},
	{"group_name", optional, text, ""},
	{"start_type", optional, enum(windowsServiceStartType), ""},
	{"service_dll_refs", optional, list(ref("file")), ""},
	{"service_type", optional, enum(windowsServiceType), ""},
	{"service_status", optional, enum(windowsServiceStatus), ""},
}}).prepared()

var unixAccountExt = (&entry{section: "6.16.2.1", some: true, properties: []property{
	{"gid", optional, integer, ""},
	{"groups", optional, list(text), ""},
	{"home_dir", optional, text, ""},
	{"shell", optional, text, ""},
}}).prepared()
