package auditd

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"shieldwall/internal/event"
)

// What an act says under Sigma's names (Sysmon's), so that rules for other sources meet it:
//
//	every record of a system call  Image <- exe, ProcessId <- pid, ParentProcessId <- ppid, User <- UID or uid,
//	                               LogonId <- auid, Computer <- node
//	EXECVE, category process_creation    CommandLine <- a0 a1 ..., CurrentDirectory <- CWD; ParentImage and
//	                               ParentCommandLine, if the log has shown the parent start
//	PATH that was created, category file_event    TargetFilename <- name below cwd
//	SOCKADDR of connect, category network_connection    DestinationIp, DestinationPort, Initiated
//
// A call that failed (success=no) has no category: nothing was created or connected. SYSCALL has its number
// (syscall) and its name (SYSCALL).

// noUser is the audit id of a process that no login stands behind, (uint32)-1. Sysmon says 0 there, and the rule
// base asks for that.
const noUser = "4294967295"

// act's facts under Sigma's names.
type facts struct {
	fields  []event.Field
	call    string
	failed  bool
	node    string
	pid     string
	ppid    string
	image   string
	cwd     string
	command string
}

func (f *facts) put(name, value string) {
	if value != "" {
		f.fields = append(f.fields, event.Field{Name: name, Value: event.Str(value)})
	}
}

// give makes the events of a whole act, from the first that was not given out.
func (j *Joiner) give(a *act) error {
	a.joinExecve()
	f := a.facts()
	for _, r := range a.records[min(a.given, len(a.records)):] {
		ev := event.Event{
			Source: j.source, Record: strconv.FormatInt(r.line, 10), Time: r.time, Computer: r.node,
			Product: "linux", Service: "auditd", Fields: j.fields[:0],
		}
		ev.Fields = append(ev.Fields, event.Field{Name: "type", Value: event.Str(r.kind)})
		ev.Fields = append(ev.Fields, r.fields...)
		add := func(list []event.Field) {
			for _, field := range list {
				if _, taken := ev.Get(field.Name); !taken {
					ev.Fields = append(ev.Fields, field)
				}
			}
		}
		if r.node != "" {
			add([]event.Field{{Name: "Computer", Value: event.Str(r.node)}})
		}
		if r.kind == "SYSCALL" {
			add([]event.Field{{Name: "SYSCALL", Value: event.Str(f.call)}})
		}
		add(f.fields)
		var own []event.Field
		ev.Category, own = j.categorise(r, f)
		add(own)
		j.fields = ev.Fields
		if err := j.yield(&ev); err != nil {
			return err
		}
		a.given++
	}
	return nil
}

// joinExecve puts the pieces of the arguments together: a long list is cut into several EXECVE records, a long
// argument into a2_len=, a2[0]=, a2[1]= ... (kernel/auditsc.c, audit_log_execve_info).
func (a *act) joinExecve() {
	var whole *record
	kept := a.records[:0]
	seen := map[string]int{}           // argument -> field
	long := map[int]*strings.Builder{} // of arguments in pieces
	for _, r := range a.records {
		if r.kind != "EXECVE" {
			kept = append(kept, r)
			continue
		}
		pieces := r.fields
		if whole == nil {
			whole = r
			kept = append(kept, r)
			whole.fields = nil
		}
		for _, field := range pieces {
			name, _, piece := strings.Cut(field.Name, "[")
			at, known := seen[name]
			switch {
			case strings.HasSuffix(name, "_len"):
			case known && piece:
				if long[at] == nil {
					long[at] = &strings.Builder{}
					long[at].WriteString(whole.fields[at].Value.Text)
				}
				long[at].WriteString(field.Value.Text)
			case !known && len(whole.fields) < MaxArgs:
				seen[name] = len(whole.fields)
				whole.fields = append(whole.fields, event.Field{Name: name, Value: field.Value})
			}
		}
	}
	for at, text := range long {
		whole.fields[at].Value.Text = text.String()
	}
	a.records = kept
}

// facts collects what the records know together.
func (a *act) facts() *facts {
	f := &facts{}
	for _, r := range a.records {
		f.node = r.node
		switch r.kind {
		case "SYSCALL":
			f.syscall(r)
		case "CWD":
			f.cwd = r.get("cwd")
		case "EXECVE":
			f.command = commandLine(r)
		case "PROCTITLE":
			if f.command == "" && strings.HasPrefix(f.call, "execve") {
				f.command = r.get("proctitle")
			}
		default:
			if len(a.records) == 1 { // of a program: it says who did it
				f.process(r)
			}
		}
	}
	return f
}

func (f *facts) syscall(r *record) {
	f.call = r.get("SYSCALL") // enriched
	if number := r.get("syscall"); f.call == "" {
		f.call = number
		if name := callNames[r.get("arch")][number]; name != "" {
			f.call = name
		}
	}
	f.failed = r.get("success") == "no"
	f.process(r)
}

func (f *facts) process(r *record) {
	f.pid, f.ppid, f.image = r.get("pid"), r.get("ppid"), r.get("exe")
	f.put("Image", f.image)
	f.put("ProcessId", f.pid)
	f.put("ParentProcessId", f.ppid)
	user := r.get("UID")
	if user == "" {
		if user = r.get("uid"); user == "0" {
			user = "root"
		}
	}
	f.put("User", user)
	logon := r.get("auid")
	if logon == noUser || logon == "unset" {
		logon = "0"
	}
	f.put("LogonId", logon)
}

func commandLine(r *record) string {
	var b strings.Builder
	for _, field := range r.fields {
		if !isArg(field.Name) {
			continue
		}
		if b.Len()+len(field.Value.Text) > MaxCommandLine {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(field.Value.Text)
	}
	return b.String()
}

// categorise tells what a record is to rules that know no audit records.
func (j *Joiner) categorise(r *record, f *facts) (category string, fields []event.Field) {
	own := facts{}
	switch {
	case f.failed:
		return "", nil
	case r.kind == "EXECVE":
		own.put("CommandLine", f.command)
		own.put("CurrentDirectory", f.cwd)
		parent := j.known.get(f.node, f.ppid)
		own.put("ParentImage", parent.image)
		own.put("ParentCommandLine", parent.command)
		if f.image != "" {
			j.known.put(f.node, f.pid, process{f.image, f.command})
		}
		return "process_creation", own.fields
	case r.kind == "PATH" && r.get("nametype") == "CREATE" && r.get("name") != "":
		name := r.get("name")
		if !path.IsAbs(name) && f.cwd != "" {
			name = path.Join(f.cwd, name)
		}
		own.put("TargetFilename", name)
		return "file_event", own.fields
	case r.kind == "SOCKADDR" && f.call == "connect":
		to, ok := address(r)
		if !ok {
			return "", nil
		}
		own.put("DestinationIp", to.Addr().Unmap().String())
		own.put("DestinationPort", strconv.Itoa(int(to.Port())))
		own.put("Initiated", "true")
		return "network_connection", own.fields
	}
	return "", nil
}

// address reads a socket address: the kernel's bytes (family in the machine's order, little endian on all
// that this project meets; port in the network's), or what ausearch made of them.
func address(r *record) (netip.AddrPort, bool) {
	if ip, port := r.get("laddr"), strings.TrimSuffix(r.get("lport"), " }"); ip != "" {
		to, err := netip.ParseAddr(ip)
		n, perr := strconv.ParseUint(port, 10, 16)
		return netip.AddrPortFrom(to, uint16(n)), err == nil && perr == nil
	}
	const inet, inet6 = 2, 10
	b, err := hex.DecodeString(r.get("saddr"))
	if err != nil || len(b) < 4 {
		return netip.AddrPort{}, false
	}
	family, port := binary.LittleEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	switch {
	case family == inet && len(b) >= 8:
		ip, _ := netip.AddrFromSlice(b[4:8])
		return netip.AddrPortFrom(ip, port), true
	case family == inet6 && len(b) >= 24:
		ip, _ := netip.AddrFromSlice(b[8:24])
		return netip.AddrPortFrom(ip, port), true
	}
	return netip.AddrPort{}, false
}
