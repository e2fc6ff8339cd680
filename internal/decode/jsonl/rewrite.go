package jsonl

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Odd shapes hold a Windows record in a form that a path cannot be named by alone: names stand in values, or a
// record is a text in a field. Such an object is rewritten into the nested or the flat shape (shape.go) and read
// again; what cannot be rewritten stays as it is. Others are not delayed: the paths' hints tell.
//
//   - named data: EventData.Data is a list of {"@Name":..,"#text":..}, as xmltodict and its like make it;
//   - bare: System and EventData without Event around them;
//   - EvtxECmd: flat, with the record's data as JSON in the text Payload;
//   - Wazuh: data.win.system and data.win.eventdata, whose names begin with a small letter;
//   - Splunk's export: {"preview":..,"result":{..}}, with EventCode, LogName and ComputerName, or with the record
//     in the text _raw.
const odd = hintNamed | hintBare | hintECmdPayload | hintWazuh | hintSplunk

func oddHintOf(full string) hint {
	switch {
	case strings.HasPrefix(full, "System.") && (full == "System.Channel" || strings.HasPrefix(full, "System.EventID")):
		return hintBare
	case strings.HasSuffix(full, ".Data.@Name") || strings.HasSuffix(full, ".Data.Name"):
		return hintNamed
	case full == "ChunkNumber":
		return hintECmd
	case full == "Payload":
		return hintECmdPayload
	case strings.HasPrefix(full, "data.win."):
		return hintWazuh
	case full == "result._raw" || full == "result._time":
		return hintSplunk
	}
	return 0
}

// rewrite gives an object of an odd shape in a usual one; ok is false where it has none.
func rewrite(raw []byte, h hint) (out []byte, ok bool) {
	if h&odd == 0 || h&odd == hintECmdPayload && h&hintECmd == 0 || h&odd == hintNamed && h&(hintNested|hintBare) == 0 {
		return nil, false
	}
	o, ok := object(raw)
	if !ok {
		return nil, false
	}
	switch {
	case h&hintSplunk != 0:
		o, ok = splunk(o)
	case h&hintWazuh != 0:
		o, ok = wazuh(o)
	case h&hintECmdPayload != 0:
		o, ok = evtxECmd(o)
	case h&hintNested == 0 && o["Event"] == nil:
		o = map[string]any{"Event": o}
	}
	if !ok {
		return nil, false
	}
	if event, isObject := o["Event"].(map[string]any); isObject {
		expandData(event)
	}
	out, err := json.Marshal(o)
	return out, err == nil
}

func object(raw []byte) (map[string]any, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // a number keeps its spelling
	var o map[string]any
	return o, d.Decode(&o) == nil && o != nil
}

// expandData gives the data of a record the names that stand beside them.
func expandData(event map[string]any) {
	for _, section := range [...]string{"EventData", "UserData"} {
		data, _ := event[section].(map[string]any)
		items, isList := data["Data"].([]any)
		if one, alone := data["Data"].(map[string]any); alone {
			items, isList = []any{one}, true
		}
		if !isList {
			continue
		}
		var unnamed []any
		for _, item := range items {
			m, _ := item.(map[string]any)
			name, value := nameAndText(m)
			switch _, taken := data[name]; {
			case m == nil:
				unnamed = append(unnamed, item)
			case name == "":
				unnamed = append(unnamed, value)
			case !taken || name == "Data":
				data[name] = value
			}
		}
		if len(unnamed) > 0 {
			data["Data"] = unnamed
		} else if _, left := data["Data"].([]any); left || isItem(data["Data"]) {
			delete(data, "Data")
		}
	}
}

// isItem tells a list's only item from data that are called Data.
func isItem(v any) bool {
	m, _ := v.(map[string]any)
	name, _ := nameAndText(m)
	return name != ""
}

// nameAndText takes {"@Name":..,"#text":..} apart; an element without text is empty.
func nameAndText(m map[string]any) (name string, text any) {
	for _, key := range [...]string{"@Name", "Name"} {
		if s, ok := m[key].(string); ok {
			name = s
			break
		}
	}
	for _, key := range [...]string{"#text", "text", "Value", "value"} {
		if v, ok := m[key]; ok {
			return name, v
		}
	}
	return name, nil
}

// evtxECmd puts a line of EvtxECmd's JSON (its --json) together as the record that it was.
func evtxECmd(o map[string]any) (map[string]any, bool) {
	text, _ := o["Payload"].(string)
	payload, ok := object([]byte(text))
	if !ok {
		payload = map[string]any{}
	}
	attributes := func(pairs ...string) map[string]any {
		out := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			if v, has := o[pairs[i+1]]; has {
				out[pairs[i]] = v
			}
		}
		return map[string]any{"#attributes": out}
	}
	system := map[string]any{
		"Provider": attributes("Name", "Provider"), "TimeCreated": attributes("SystemTime", "TimeCreated"),
		"Execution": attributes("ProcessID", "ProcessId", "ThreadID", "ThreadId"), "Security": attributes("UserID", "UserId"),
	}
	for to, from := range map[string]string{
		"EventID": "EventId", "EventRecordID": "EventRecordId", "Channel": "Channel", "Computer": "Computer", "Level": "Level", "Keywords": "Keywords",
	} {
		if v, has := o[from]; has {
			system[to] = v
		}
	}
	event := map[string]any{"System": system}
	for _, section := range [...]string{"EventData", "UserData"} {
		if v, has := payload[section]; has {
			event[section] = v
		}
	}
	return map[string]any{"Event": event}, true
}

// wazuh puts a Windows record of Wazuh's together: its decoder writes the elements' names with a small first letter.
func wazuh(o map[string]any) (map[string]any, bool) {
	data, _ := o["data"].(map[string]any)
	win, _ := data["win"].(map[string]any)
	from, _ := win["system"].(map[string]any)
	if from == nil {
		return nil, false
	}
	system := map[string]any{}
	attribute := func(element, name string, v any) {
		attributes, _ := system[element].(map[string]any)
		if attributes == nil {
			attributes = map[string]any{}
			system[element] = attributes
		}
		attributes["@"+name] = v
	}
	for key, v := range from {
		switch key {
		case "providerName":
			attribute("Provider", "Name", v)
		case "providerGuid":
			attribute("Provider", "Guid", v)
		case "systemTime":
			attribute("TimeCreated", "SystemTime", v)
		case "processID":
			attribute("Execution", "ProcessID", v)
		case "threadID":
			attribute("Execution", "ThreadID", v)
		case "message":
			win["message"] = v
		default:
			system[capital(key)] = v
		}
	}
	event := map[string]any{"System": system}
	for _, section := range [...]string{"eventdata", "userdata"} {
		if fields, ok := win[section].(map[string]any); ok {
			named := map[string]any{}
			for key, v := range fields {
				named[capital(key)] = v
			}
			event[map[string]string{"eventdata": "EventData", "userdata": "UserData"}[section]] = named
		}
	}
	return map[string]any{"Event": event}, true
}

// capital gives a name its first letter back.
func capital(name string) string {
	if name == "" {
		return name
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// splunkNames are Sigma's names of what Splunk's add-on for Windows calls otherwise.
var splunkNames = map[string]string{"EventCode": "EventID", "LogName": "Channel", "ComputerName": "Computer", "_time": "@timestamp"}

// splunk takes a search's result out of Splunk's export.
func splunk(o map[string]any) (map[string]any, bool) {
	result, _ := o["result"].(map[string]any)
	if result == nil {
		return nil, false
	}
	if text, _ := result["_raw"].(string); strings.HasPrefix(strings.TrimSpace(text), "{") {
		if inside, ok := object([]byte(text)); ok {
			return inside, true
		}
	}
	for from, to := range splunkNames {
		v, has := result[from]
		if _, taken := result[to]; has && !taken {
			result[to] = v
		}
	}
	return result, true
}
