// Package eventxml reads events of Windows written as XML ([MS-EVEN6] 2.2.17, what wevtutil and Get-WinEvent
// export), and those of Sysmon for Linux, which writes the same schema into syslog.
//
// Fields are named as decode/evtx names them. An event that is broken costs that event: each is cut out by its
// own <Event> and </Event>, and parsed alone. There are no entities but XML's five and characters by number,
// no document type, and nothing outside is ever fetched.
package eventxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"shieldwall/internal/event"
)

// Limits.
const (
	// MaxEvent is the size of one event, in bytes.
	MaxEvent = 1 << 20
	// MaxDepth is how deep elements may nest; Event is 1.
	MaxDepth = 32
	// MaxFields is how many fields one event may have.
	MaxFields = 1024
	// maxName is the length of a field's name, in bytes.
	maxName = 256
)

// Errors that Parse may wrap.
var (
	ErrSyntax        = errors.New("invalid XML")
	ErrNotEvent      = errors.New("not an Event element")
	ErrTooLong       = errors.New("event too long")
	ErrTooDeep       = errors.New("nested too deep")
	ErrTooManyFields = errors.New("too many fields")
)

// linuxChannel and linuxProvider are those of Sysmon for Linux.
const (
	linuxChannel  = "Linux-Sysmon/Operational"
	linuxProvider = "Linux-Sysmon"
)

// linuxCategories are the events that Sysmon for Linux has, by the taxonomy's names. Windows events are
// routed by their channel.
var linuxCategories = map[string]string{
	"1": "process_creation", "3": "network_connection", "4": "sysmon_status", "5": "process_termination",
	"9": "raw_access_thread", "11": "file_event", "16": "sysmon_status", "23": "file_delete", "255": "sysmon_error",
}

// Parse reads one <Event> into an event whose Source and Record the caller fills in.
func Parse(data []byte) (*event.Event, error) {
	if len(data) > MaxEvent {
		return nil, fmt.Errorf("more than %d bytes: %w", MaxEvent, ErrTooLong)
	}
	p := parser{in: xml.NewDecoder(bytes.NewReader(data)), at: map[string]int{}}
	for !p.done {
		token, err := p.in.RawToken()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("the end is missing: %w", ErrSyntax)
		}
		if err != nil {
			return nil, fmt.Errorf("byte %d: %w: %w", p.in.InputOffset(), ErrSyntax, err)
		}
		if err := p.token(token); err != nil {
			return nil, fmt.Errorf("byte %d: %w", p.in.InputOffset(), err)
		}
	}
	if len(bytes.TrimSpace(data[p.in.InputOffset():])) > 0 {
		return nil, fmt.Errorf("byte %d: something follows the event: %w", p.in.InputOffset(), ErrSyntax)
	}
	return p.finish(), nil
}

// parser goes through one event.
type parser struct {
	in    *xml.Decoder
	open  []element
	ev    event.Event
	at    map[string]int // field's name -> its place
	chann string         // the record's channel
	done  bool
}

// element is one that is open.
type element struct {
	name  string // as written
	field string // what its text is called
	text  []byte
	inner bool // it has elements
}

func (p *parser) token(token xml.Token) error {
	switch token := token.(type) {
	case xml.StartElement:
		return p.start(token)
	case xml.EndElement:
		return p.end(token)
	case xml.CharData:
		if len(p.open) > 0 {
			e := &p.open[len(p.open)-1]
			e.text = append(e.text, token...)
		} else if len(bytes.TrimSpace(token)) > 0 {
			return ErrNotEvent
		}
	case xml.Directive:
		return fmt.Errorf("a document type: %w", ErrSyntax)
	}
	return nil
}

// section is the child of Event that is open: System, EventData, UserData, RenderingInfo ...
func (p *parser) section() string {
	if len(p.open) < 2 {
		return ""
	}
	return p.open[1].name
}

func (p *parser) start(token xml.StartElement) error {
	name := token.Name.Local
	switch {
	case len(p.open) == 0 && name != "Event":
		return ErrNotEvent
	case len(p.open) >= MaxDepth:
		return fmt.Errorf("more than %d elements: %w", MaxDepth, ErrTooDeep)
	}
	if len(p.open) > 0 {
		p.open[len(p.open)-1].inner = true
	}
	p.open = append(p.open, element{name: name, field: unspaced(name)})
	e := &p.open[len(p.open)-1]
	named := name == "Data" || name == "ComplexData"
	for _, attr := range token.Attr {
		switch local := attr.Name.Local; {
		case local == "xmlns" || attr.Name.Space == "xmlns":
		case p.section() == "EventData" && named && local == "Name":
			e.field = unspaced(attr.Value)
		case p.section() == "System" && name == "TimeCreated" && local == "SystemTime":
			p.ev.Time = parseTime(attr.Value)
			if err := p.put("TimeCreated", attr.Value); err != nil {
				return err
			}
		default:
			if err := p.put(unspaced(name)+"_"+local, attr.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *parser) end(token xml.EndElement) error {
	if len(p.open) == 0 || p.open[len(p.open)-1].name != token.Name.Local {
		return fmt.Errorf("</%.64s> closes nothing: %w", token.Name.Local, ErrSyntax)
	}
	section, depth := p.section(), len(p.open)
	e := &p.open[depth-1]
	text := string(e.text)
	p.open = p.open[:depth-1]
	p.done = depth == 1
	if depth < 3 || e.inner {
		return nil // Event and its sections only group others
	}
	if section == "System" && e.name == "Channel" {
		p.chann = text
	}
	if section != "System" && e.field == "Channel" {
		p.replace("Channel", text) // event 104 names the log that was cleared: rules ask for that one
		return nil
	}
	if section == "System" && text == "" && (e.name == "Provider" || e.name == "Execution" || e.name == "Correlation" || e.name == "Security" || e.name == "TimeCreated") {
		return nil // they have attributes alone
	}
	return p.put(e.field, text)
}

// put adds a field. The first of a name counts, but for Data without a name: they become a list.
func (p *parser) put(name, text string) error {
	at, known := p.at[name]
	switch {
	case known && name == "Data":
		v := &p.ev.Fields[at].Value
		if v.Kind != event.List {
			*v = event.Value{Kind: event.List, Items: []event.Value{*v}}
		}
		if len(v.Items) >= MaxFields {
			return fmt.Errorf("more than %d: %w", MaxFields, ErrTooManyFields)
		}
		v.Items = append(v.Items, event.Str(text))
		return nil
	case known || name == "":
		return nil
	case len(p.ev.Fields) >= MaxFields || len(name) > maxName:
		return fmt.Errorf("more than %d, or a name of more than %d bytes: %w", MaxFields, maxName, ErrTooManyFields)
	}
	p.at[name] = len(p.ev.Fields)
	p.ev.Fields = append(p.ev.Fields, event.Field{Name: name, Value: event.Str(text)})
	return nil
}

func (p *parser) replace(name, text string) {
	if at, known := p.at[name]; known {
		p.ev.Fields[at].Value = event.Str(text)
		return
	}
	_ = p.put(name, text) // over a limit it is left out like any other
}

// finish fills in the routing facts.
func (p *parser) finish() *event.Event {
	text := func(name string) string {
		v, _ := p.ev.Get(name)
		return v.Text
	}
	ev := &p.ev
	ev.Channel, ev.EventID, ev.Provider, ev.Computer = p.chann, text("EventID"), text("Provider_Name"), text("Computer")
	ev.Record = text("EventRecordID")
	Place(ev)
	return ev
}

// Place gives an event of Sysmon for Linux its logsource, whatever it was read from.
func Place(ev *event.Event) {
	if strings.EqualFold(ev.Channel, linuxChannel) || strings.EqualFold(ev.Provider, linuxProvider) {
		ev.Product, ev.Service, ev.Category = "linux", "sysmon", linuxCategories[ev.EventID]
	}
}

func unspaced(name string) string { return strings.ReplaceAll(name, " ", "") }

func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
