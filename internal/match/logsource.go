package match

import (
	"slices"

	"shieldwall/internal/event"
	"shieldwall/internal/sigma"
)

// The map from Windows events to Sigma logsources. Its sources are the rule base's own
// tests/thor.yml (SigmaHQ, snapshot of 2026-08-05), which is the de-facto standard, and where that
// has a gap the tables of the taxonomy appendix (sigma-appendix-taxonomy 2.1.0, "Windows Folder").
// A line's remark says where it comes from elsewhere.

// service gives the events of some channels a Sigma service.
type service struct {
	name     string
	channels []string
}

const (
	channelSysmon     = "Microsoft-Windows-Sysmon/Operational"
	channelSecurity   = "Security"
	channelPowerShell = "Microsoft-Windows-PowerShell/Operational"
	channelPwshCore   = "PowerShellCore/Operational"
	channelPwshOld    = "Windows PowerShell"
	channelDefender   = "Microsoft-Windows-Windows Defender/Operational"
)

var windowsServices = []service{
	{"application", []string{"Application"}},
	{"application-experience", []string{
		"Microsoft-Windows-Application-Experience/Program-Telemetry",
		"Microsoft-Windows-Application-Experience/Program-Compatibility-Assistant"}},
	{"applocker", []string{
		"Microsoft-Windows-AppLocker/MSI and Script", "Microsoft-Windows-AppLocker/EXE and DLL",
		"Microsoft-Windows-AppLocker/Packaged app-Deployment", "Microsoft-Windows-AppLocker/Packaged app-Execution"}},
	{"appmodel-runtime", []string{"Microsoft-Windows-AppModel-Runtime/Admin"}},
	{"appxdeployment-server", []string{"Microsoft-Windows-AppXDeploymentServer/Operational"}},
	{"appxpackaging-om", []string{"Microsoft-Windows-AppxPackaging/Operational"}},
	{"bitlocker", []string{"Microsoft-Windows-BitLocker/BitLocker Management"}},
	{"bits-client", []string{"Microsoft-Windows-Bits-Client/Operational"}},
	{"capi2", []string{"Microsoft-Windows-CAPI2/Operational"}},
	{"certificateservicesclient-lifecycle-system", []string{
		"Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational"}},
	{"codeintegrity-operational", []string{"Microsoft-Windows-CodeIntegrity/Operational"}},
	{"dhcp", []string{"Microsoft-Windows-DHCP-Server/Operational"}},
	{"diagnosis-scripted", []string{"Microsoft-Windows-Diagnosis-Scripted/Operational"}},
	{"dns-client", []string{
		"Microsoft-Windows-DNS Client Events/Operational",
		"Microsoft-Windows-DNS-Client/Operational"}}, // the channel's name in the record; the one above is its display name
	{"dns-server", []string{"DNS Server"}}, // taxonomy
	{"dns-server-analytic", []string{"Microsoft-Windows-DNS-Server/Analytical", "Microsoft-Windows-DNSServer/Analytical"}}, // taxonomy; the name in the record
	{"dns-server-audit", []string{"Microsoft-Windows-DNS-Server/Audit", "Microsoft-Windows-DNSServer/Audit"}},              // taxonomy; the name in the record
	{"driver-framework", []string{"Microsoft-Windows-DriverFrameworks-UserMode/Operational"}},                              // taxonomy
	{"firewall-as", []string{"Microsoft-Windows-Windows Firewall With Advanced Security/Firewall"}},
	{"hyper-v-worker", []string{"Microsoft-Windows-Hyper-V-Worker", "Microsoft-Windows-Hyper-V-Worker-Admin"}},
	{"iis-configuration", []string{"Microsoft-IIS-Configuration/Operational"}},
	{"kernel-event-tracing", []string{"Microsoft-Windows-Kernel-EventTracing", "Microsoft-Windows-Kernel-EventTracing/Admin"}},
	{"kernel-shimengine", []string{
		"Microsoft-Windows-Kernel-ShimEngine/Operational", "Microsoft-Windows-Kernel-ShimEngine/Diagnostic"}},
	{"ldap", []string{"Microsoft-Windows-LDAP-Client/Debug"}},
	{"lsa-server", []string{"Microsoft-Windows-LSA/Operational"}},
	{"microsoft-servicebus-client", []string{ // the name that the rules use; thor.yml and taxonomy: servicebus-client
		"Microsoft-ServiceBus-Client/Admin", "Microsoft-ServiceBus-Client/Operational"}},
	{"msexchange-management", []string{"MSExchange Management"}},
	{"ntfs", []string{"Microsoft-Windows-Ntfs/Operational"}},
	{"ntlm", []string{"Microsoft-Windows-NTLM/Operational"}},
	{"openssh", []string{"OpenSSH/Operational"}},
	{"powershell", []string{channelPowerShell, channelPwshCore}},
	{"powershell-classic", []string{channelPwshOld}},
	{"printservice-admin", []string{"Microsoft-Windows-PrintService/Admin"}},
	{"printservice-operational", []string{"Microsoft-Windows-PrintService/Operational"}},
	{"security", []string{channelSecurity}},
	{"security-mitigations", []string{
		"Microsoft-Windows-Security-Mitigations/Kernel Mode", "Microsoft-Windows-Security-Mitigations/User Mode"}},
	{"sense", []string{"Microsoft-Windows-SENSE/Operational"}},
	{"servicebus-client", []string{"Microsoft-ServiceBus-Client/Admin", "Microsoft-ServiceBus-Client/Operational"}},
	{"shell-core", []string{"Microsoft-Windows-Shell-Core/Operational"}},
	{"smbclient-connectivity", []string{"Microsoft-Windows-SmbClient/Connectivity"}},
	{"smbclient-security", []string{"Microsoft-Windows-SmbClient/Security"}},
	{"smbserver-connectivity", []string{"Microsoft-Windows-SMBServer/Connectivity"}},
	{"sysmon", []string{channelSysmon}},
	{"system", []string{"System"}},
	{"taskscheduler", []string{"Microsoft-Windows-TaskScheduler/Operational"}},
	{"terminalservices-localsessionmanager", []string{
		"Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"}},
	{"vhdmp", []string{"Microsoft-Windows-VHDMP/Operational"}},
	{"windefend", []string{channelDefender}},
	{"wmi", []string{"Microsoft-Windows-WMI-Activity/Operational"}},
}

// category gives some events of a channel, or of an ETW provider, a Sigma category.
type category struct {
	name     string
	channels []string
	provider string // instead of channels
	eventIDs []string
	// field and values narrow further; compared without case.
	field  string
	values []string
	// view shows the event under the category's field names; nil where it has them already.
	view *view
}

var (
	sysmon    = []string{channelSysmon}
	security  = []string{channelSecurity}
	ps        = []string{channelPowerShell, channelPwshCore}
	psClassic = []string{channelPwshOld}
)

const providerKernelFile = "Microsoft-Windows-Kernel-File"

var windowsCategories = []category{
	{name: "process_creation", channels: sysmon, eventIDs: ids("1")},
	{name: "file_change", channels: sysmon, eventIDs: ids("2")},
	{name: "network_connection", channels: sysmon, eventIDs: ids("3")},
	{name: "sysmon_status", channels: sysmon, eventIDs: ids("4", "16")},
	{name: "process_termination", channels: sysmon, eventIDs: ids("5")},
	{name: "driver_load", channels: sysmon, eventIDs: ids("6")},
	{name: "image_load", channels: sysmon, eventIDs: ids("7")},
	{name: "create_remote_thread", channels: sysmon, eventIDs: ids("8")},
	{name: "raw_access_thread", channels: sysmon, eventIDs: ids("9")},
	{name: "process_access", channels: sysmon, eventIDs: ids("10")},
	{name: "file_event", channels: sysmon, eventIDs: ids("11")},
	{name: "registry_event", channels: sysmon, eventIDs: ids("12", "13", "14")},
	{name: "registry_add", channels: sysmon, eventIDs: ids("12"), field: "EventType", values: ids("CreateKey")},
	{name: "registry_delete", channels: sysmon, eventIDs: ids("12"), field: "EventType", values: ids("DeleteKey", "DeleteValue")},
	{name: "registry_set", channels: sysmon, eventIDs: ids("13")},
	{name: "registry_rename", channels: sysmon, eventIDs: ids("14")},
	{name: "create_stream_hash", channels: sysmon, eventIDs: ids("15")},
	{name: "pipe_created", channels: sysmon, eventIDs: ids("17", "18")},
	{name: "wmi_event", channels: sysmon, eventIDs: ids("19", "20", "21")},
	{name: "dns_query", channels: sysmon, eventIDs: ids("22")},
	// 26 is the deletion that Sysmon saw without archiving the file: the same act.
	{name: "file_delete", channels: sysmon, eventIDs: ids("23", "26")},
	{name: "file_delete_detected", channels: sysmon, eventIDs: ids("26")},
	{name: "clipboard_change", channels: sysmon, eventIDs: ids("24")},
	{name: "clipboard_capture", channels: sysmon, eventIDs: ids("24")}, // the taxonomy's name
	{name: "process_tampering", channels: sysmon, eventIDs: ids("25")},
	{name: "file_block", channels: sysmon, eventIDs: ids("27", "28")}, // tests/logsource.json
	{name: "file_block_executable", channels: sysmon, eventIDs: ids("27")},
	{name: "file_block_shredding", channels: sysmon, eventIDs: ids("28")},
	{name: "file_executable_detected", channels: sysmon, eventIDs: ids("29")},
	{name: "sysmon_error", channels: sysmon, eventIDs: ids("255")},

	{name: "ps_module", channels: ps, eventIDs: ids("4103")},
	{name: "ps_script", channels: ps, eventIDs: ids("4104")},
	{name: "ps_classic_start", channels: psClassic, eventIDs: ids("400")},
	{name: "ps_classic_provider_start", channels: psClassic, eventIDs: ids("600")},
	{name: "ps_classic_script", channels: psClassic, eventIDs: ids("800")},

	// Taxonomy: "ETW Provider: Microsoft-Windows-Kernel-File". The events are those of the provider's
	// manifest that carry the fields of tests/logsource.json: 12 Create; 19 Rename, 27 RenamePath.
	{name: "file_access", provider: providerKernelFile, eventIDs: ids("12")},
	{name: "file_rename", provider: providerKernelFile, eventIDs: ids("19", "27")},

	{name: "antivirus", channels: []string{channelDefender}, view: &defenderView, eventIDs: ids(
		"1006", "1007", "1008", "1009", "1010", "1011", "1012", "1017", "1018", "1019", "1115", "1116")},

	// Builtin events that say what a Sysmon event says, as Hayabusa's rule converter pairs them.
	{name: "process_creation", channels: security, eventIDs: ids("4688"), view: &processView},
	{name: "network_connection", channels: security, eventIDs: ids("5156"), view: &connectionView},
	{name: "registry_event", channels: security, eventIDs: ids("4657"), view: &registryView},
	{name: "registry_add", channels: security, eventIDs: ids("4657"), field: "OperationType", values: ids(regCreated, regCreatedText), view: &registryView},
	{name: "registry_set", channels: security, eventIDs: ids("4657"), field: "OperationType", values: ids(regCreated, regModified, regCreatedText, regModifiedText), view: &registryView},
	{name: "registry_delete", channels: security, eventIDs: ids("4657"), field: "OperationType", values: ids(regDeleted, regDeletedText), view: &registryView},
}

func ids(list ...string) []string { return list }

// router finds the logsources of an event. It is immutable.
type router struct {
	services   map[string][]string   // folded channel -> services
	categories map[string][]category // folded channel or provider, event id -> categories
}

func newRouter() *router {
	r := &router{services: map[string][]string{}, categories: map[string][]category{}}
	for _, s := range windowsServices {
		for _, channel := range s.channels {
			r.services[fold(channel)] = append(r.services[fold(channel)], s.name)
		}
	}
	for _, c := range windowsCategories {
		places := c.channels
		if c.provider != "" {
			places = []string{c.provider}
		}
		for _, place := range places {
			for _, id := range c.eventIDs {
				key := fold(place) + "\x00" + id
				r.categories[key] = append(r.categories[key], c)
			}
		}
	}
	return r
}

// source is one logsource that an event satisfies, and the view under which it does.
type source struct {
	sigma.Logsource
	view *view
}

// sources appends every logsource that a rule could name and this event satisfies, each once. A
// rule's free parts are free, so each part comes with its empty form.
func (r *router) sources(ev *event.Event, out []source) []source {
	product := fold(ev.Product)
	given := category{name: fold(ev.Category)}
	service := fold(ev.Service)
	if product == "" && given.name == "" && service == "" && (ev.Channel != "" || ev.Provider != "") {
		product = "windows"
	}
	var services []string
	var categories []category
	if product == "windows" {
		channel := fold(ev.Channel)
		services = slices.Clone(r.services[channel])
		categories = r.appendCategories(nil, channel, ev)
		categories = r.appendCategories(categories, fold(ev.Provider), ev)
	}
	if service != "" && !slices.Contains(services, service) {
		services = append(services, service)
	}
	for _, also := range ev.Also {
		if also = fold(also); also != "" && !slices.Contains(services, also) {
			services = append(services, also)
		}
	}
	if given.name != "" && !slices.ContainsFunc(categories, given.same) {
		categories = append(categories, given)
		for _, also := range impliedBy(product, given.name) {
			categories = append(categories, category{name: also})
		}
	}
	if product != "" {
		out = append(out, source{Logsource: sigma.Logsource{Product: product}})
	}
	for _, c := range categories {
		out = appendSource(out, product, c.name, "", c.view)
		for _, s := range services {
			out = appendSource(out, product, c.name, s, c.view)
		}
	}
	for _, s := range services {
		out = appendSource(out, product, "", s, nil)
	}
	return out
}

func (c category) same(d category) bool { return c.name == d.name }

func appendSource(out []source, product, category, service string, v *view) []source {
	out = append(out, source{sigma.Logsource{Category: category, Service: service}, v})
	if product != "" {
		out = append(out, source{sigma.Logsource{Product: product, Category: category, Service: service}, v})
	}
	return out
}

func (r *router) appendCategories(out []category, place string, ev *event.Event) []category {
	if place == "" {
		return out
	}
	for _, c := range r.categories[place+"\x00"+ev.EventID] {
		if !slices.ContainsFunc(out, c.same) && (c.field == "" || hasValue(ev, c.field, c.values)) {
			out = append(out, c)
		}
	}
	return out
}

func hasValue(ev *event.Event, field string, values []string) bool {
	got, ok := ev.Get(field)
	if !ok {
		return false
	}
	for _, want := range values {
		if sameFolded(got.Text, want) {
			return true
		}
	}
	return false
}

// WindowsLogsource tells whether any Windows event can satisfy a logsource of the product windows; a rule for
// which none can would wait in vain.
func WindowsLogsource(ls sigma.Logsource) bool {
	known := ls.Service == ""
	for _, s := range windowsServices {
		known = known || s.name == ls.Service
	}
	found := ls.Category == ""
	for _, c := range windowsCategories {
		found = found || c.name == ls.Category
	}
	return known && found
}
