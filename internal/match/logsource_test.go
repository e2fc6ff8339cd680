package match

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"testing"

	"shieldwall/internal/event"
	"shieldwall/internal/match/naive"
	"shieldwall/internal/sigma"
)

// TestEveryWindowsLogsourceHasARoute reads the rule base: a Windows rule without a route would never
// meet an event. There are no exceptions.
func TestEveryWindowsLogsourceHasARoute(t *testing.T) {
	corpus := os.Getenv("SHIELDWALL_CORPUS")
	if corpus == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	seen := map[sigma.Logsource]int{}
	err := filepath.WalkDir(filepath.Join(corpus, "sigma"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yml" || d.Name() == "info.yml" || d.Name() == "thor.yml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// The 25 rules that need placeholders do not load; their logsources occur in others too.
		got, err := sigma.Parse(data, sigma.Options{})
		if err != nil {
			return err
		}
		for _, rule := range got.Rules {
			seen[rule.Logsource]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	windows := 0
	for ls, rules := range seen {
		if ls.Product == "windows" {
			windows++
		}
		if ls.Product == "windows" && !WindowsLogsource(ls) {
			t.Errorf("%s (%d rules) has no route", ls, rules)
		}
	}
	if windows != 66 {
		t.Errorf("found %d Windows logsources, want 66", windows)
	}
}

func TestSources(t *testing.T) {
	win := func(channel, id string, more ...event.Field) *event.Event {
		return &event.Event{Channel: channel, EventID: id, Fields: more}
	}
	field := func(name, text string) event.Field { return event.Field{Name: name, Value: event.Str(text)} }
	tests := []struct {
		name string
		ev   *event.Event
		want []string // product/category/service; the free forms are left out
		view *view    // of the categories
	}{
		{"process", win("Microsoft-Windows-Sysmon/Operational", "1"), []string{"windows/process_creation/sysmon"}, nil},
		{"channel without case", win("microsoft-windows-sysmon/OPERATIONAL", "7"), []string{"windows/image_load/sysmon"}, nil},
		{"registry create", win(channelSysmon, "12", field("EventType", "CreateKey")),
			[]string{"windows/registry_add/sysmon", "windows/registry_event/sysmon"}, nil},
		{"registry delete", win(channelSysmon, "12", field("EventType", "deletevalue")),
			[]string{"windows/registry_delete/sysmon", "windows/registry_event/sysmon"}, nil},
		{"registry without type", win(channelSysmon, "12"), []string{"windows/registry_event/sysmon"}, nil},
		{"registry set", win(channelSysmon, "13"), []string{"windows/registry_event/sysmon", "windows/registry_set/sysmon"}, nil},
		{"file deleted", win(channelSysmon, "26"), []string{"windows/file_delete/sysmon", "windows/file_delete_detected/sysmon"}, nil},
		{"unknown sysmon id", win(channelSysmon, "99"), []string{"windows/*/sysmon"}, nil},
		{"security", win("security", "4624"), []string{"windows/*/security"}, nil},
		{"security process", win("Security", "4688"), []string{"windows/process_creation/security"}, &processView},
		{"security connection", win("Security", "5156"), []string{"windows/network_connection/security"}, &connectionView},
		{"security registry", win("Security", "4657", field("OperationType", "%%1904")),
			[]string{"windows/registry_add/security", "windows/registry_event/security", "windows/registry_set/security"}, &registryView},
		{"security registry delete", win("Security", "4657", field("OperationType", "%%1906")),
			[]string{"windows/registry_delete/security", "windows/registry_event/security"}, &registryView},
		{"security registry delete, rendered", win("Security", "4657", field("OperationType", "registry value deleted")),
			[]string{"windows/registry_delete/security", "windows/registry_event/security"}, &registryView},
		{"script", win("PowerShellCore/Operational", "4104"), []string{"windows/ps_script/powershell"}, nil},
		{"classic", win("Windows PowerShell", "400"), []string{"windows/ps_classic_start/powershell-classic"}, nil},
		{"defender", win(channelDefender, "1116"), []string{"windows/antivirus/windefend"}, &defenderView},
		{"defender other", win(channelDefender, "1119"), []string{"windows/*/windefend"}, nil},
		{"two services", win("Microsoft-ServiceBus-Client/Admin", "1"),
			[]string{"windows/*/microsoft-servicebus-client", "windows/*/servicebus-client"}, nil},
		{"provider", &event.Event{Provider: "Microsoft-Windows-Kernel-File", EventID: "12"}, []string{"windows/file_access/*"}, nil},
		{"unknown channel", win("Own/Log", "1"), []string{"windows/*/*"}, nil},
		{"nothing known", &event.Event{}, nil, nil},
		{"given", &event.Event{Product: "Linux", Category: "process_creation"}, []string{"linux/process_creation/*"}, nil},
		{"given service", &event.Event{Product: "zeek", Service: "dns"}, []string{"zeek/*/dns"}, nil},
		{"given services", &event.Event{Product: "linux", Service: "sshd", Also: []string{"auth", "SSHD"}},
			[]string{"linux/*/auth", "linux/*/sshd"}, nil},
		{"given category alone", &event.Event{Category: "webserver"}, []string{"*/webserver/*"}, nil},
		{"given, no Windows", &event.Event{Product: "linux", Channel: channelSysmon, EventID: "1"}, []string{"linux/*/*"}, nil},
		{"given and found", &event.Event{Product: "windows", Category: "process_creation", Channel: channelSysmon, EventID: "1"},
			[]string{"windows/process_creation/sysmon"}, nil},
	}
	r := newRouter()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := r.sources(tt.ev, nil)
			seen := map[sigma.Logsource]bool{}
			for _, s := range got {
				if seen[s.Logsource] {
					t.Errorf("%s comes twice", s.Logsource)
				}
				seen[s.Logsource] = true
				if want := tt.view; s.Category != "" && s.view != want {
					t.Errorf("%s has the view %v", s.Logsource, s.view)
				}
				if s.Category == "" && s.view != nil {
					t.Errorf("%s has a view", s.Logsource)
				}
			}
			if narrow := narrowest(got); !reflect.DeepEqual(narrow, tt.want) {
				t.Errorf("got %v, want %v", narrow, tt.want)
			}
		})
	}
}

// narrowest lists the logsources that no other one refines.
func narrowest(list []source) []string {
	refines := func(a, b sigma.Logsource) bool {
		part := func(x, y string) bool { return y == "" || x == y }
		return a != b && part(a.Product, b.Product) && part(a.Category, b.Category) && part(a.Service, b.Service)
	}
	var out []string
	for _, s := range list {
		most := true
		for _, other := range list {
			most = most && !refines(other.Logsource, s.Logsource)
		}
		if most {
			out = append(out, s.Logsource.String())
		}
	}
	sort.Strings(out)
	return out
}

func TestViews(t *testing.T) {
	ev := func(pairs ...string) *event.Event {
		out := &event.Event{}
		for i := 0; i < len(pairs); i += 2 {
			out.Fields = append(out.Fields, event.Field{Name: pairs[i], Value: event.Str(pairs[i+1])})
		}
		return out
	}
	tests := []struct {
		name string
		view *view
		ev   *event.Event
		want map[string]string // "" = must be missing
	}{
		{"process", &processView, ev("NewProcessName", `C:\a.exe`, "ParentProcessName", `C:\p.exe`, "NewProcessId", "0x1f4", "ProcessId", "0x10",
			"SubjectUserName", "joe", "SubjectDomainName", "D", "SubjectLogonId", "0x3e7", "MandatoryLabel", "S-1-16-12288", "CommandLine", "a -b"),
			map[string]string{"Image": `C:\a.exe`, "ParentImage": `C:\p.exe`, "ProcessId": "500", "ParentProcessId": "16", "User": `D\joe`,
				"LogonId": "0x3e7", "IntegrityLevel": "High", "CommandLine": "a -b", "NewProcessName": `C:\a.exe`, "Hashes": ""}},
		{"old process", &processView, ev("NewProcessName", "a", "SubjectUserName", "joe", "SubjectDomainName", "-", "NewProcessId", "12"),
			map[string]string{"Image": "a", "ParentImage": "", "User": "joe", "ProcessId": "12", "IntegrityLevel": ""}},
		{"connection", &connectionView, ev("Application", `\device\harddiskvolume12\windows\system32\svchost.exe`, "Direction", "%%14593",
			"DestAddress", "192.0.2.1", "SourceAddress", "192.0.2.2", "DestPort", "53", "SourcePort", "1024", "Protocol", "17", "ProcessID", "4"),
			map[string]string{"Image": `C:\windows\system32\svchost.exe`, "Initiated": "true", "DestinationIp": "192.0.2.1", "SourceIp": "192.0.2.2",
				"DestinationPort": "53", "SourcePort": "1024", "Protocol": "udp", "ProcessId": "4"}},
		{"connection of the kernel", &connectionView, ev("Application", "System", "Direction", "%%14592", "Protocol", "1"),
			map[string]string{"Image": "System", "Initiated": "false", "Protocol": "1"}},
		{"device without volume", &connectionView, ev("Application", `\device\harddiskvolume`), map[string]string{"Image": `\device\harddiskvolume`}},
		{"registry", &registryView, ev("ProcessName", `C:\reg.exe`, "ObjectName", `\REGISTRY\MACHINE\SYSTEM\ControlSet001\Control\Lsa`,
			"ObjectValueName", "RunAsPPL", "OperationType", "%%1905", "NewValueType", "%%1876", "NewValue", "1"),
			map[string]string{"Image": `C:\reg.exe`, "TargetObject": `HKLM\SYSTEM\CurrentControlSet\Control\Lsa\RunAsPPL`,
				"EventType": "SetValue", "Details": "DWORD (0x00000001)"}},
		{"registry, rendered", &registryView, ev("OperationType", "Existing registry value modified", "NewValueType", "REG_DWORD", "NewValue", "1"),
			map[string]string{"EventType": "SetValue", "Details": "DWORD (0x00000001)"}},
		{"process, rendered", &processView, ev("MandatoryLabel", `Mandatory Label\High Mandatory Level`), map[string]string{"IntegrityLevel": "High"}},
		{"registry text", &registryView, ev("ObjectName", `\REGISTRY\USER\S-1-5-18\Software`, "OperationType", "%%1906", "NewValueType", "%%1873", "NewValue", "7"),
			map[string]string{"TargetObject": `HKU\S-1-5-18\Software`, "EventType": "DeleteValue", "Details": "7"}},
		{"registry quad word", &registryView, ev("NewValueType", "%%1883", "NewValue", "0x100000002"), map[string]string{"Details": "QWORD (0x00000001-0x00000002)"}},
		{"registry binary", &registryView, ev("NewValueType", "%%1875", "NewValue", "0102"), map[string]string{"Details": "Binary Data"}},
		{"defender", &defenderView, ev("ThreatName", "Tool:X", "Path", "file:_C:\\x"), map[string]string{"Signature": "Tool:X", "Filename": "file:_C:\\x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r naive.Record
			r.Load(new(viewing).of(tt.view, tt.ev), tt.ev.Fields)
			for name, want := range tt.want {
				if v, ok := r.Find(name); ok {
					if v.Text != want {
						t.Errorf("%s = %q, want %q", name, v.Text, want)
					}
				} else if want != "" {
					t.Errorf("%s is missing, want %q", name, want)
				}
			}
		})
	}
}
