//! Events under the names that rules use.

use serde_json::{Map, Value};

use crate::logsource::Class;

/// Brings an event into the flat shape: Winlogbeat 6 has the payload one level down and its own names for the rest,
/// and recordings of NXLog call the provider and the computer otherwise.
pub fn flatten(event: &mut Value) {
    let Value::Object(fields) = event else { return };
    if fields.contains_key("log_name") {
        if let Some(Value::Object(payload)) = fields.remove("event_data") {
            payload.into_iter().for_each(|(name, value)| put(fields, &name, value));
        }
        for (name, from) in BEAT {
            copy(fields, name, from);
        }
    }
    for (name, from) in FLAT {
        copy(fields, name, from);
    }
}

const BEAT: [(&str, &str); 4] =
    [("Channel", "log_name"), ("EventID", "event_id"), ("SourceName", "source_name"), ("Hostname", "computer_name")];

const FLAT: [(&str, &str); 2] = [("Provider_Name", "SourceName"), ("Computer", "Hostname")];

/// Adds the names by which the rules for the event's class ask.
pub fn rename(event: &mut Value, class: &Class) {
    let Value::Object(fields) = event else { return };
    for (name, from) in &class.names {
        copy(fields, name, from);
    }
}

fn copy(fields: &mut Map<String, Value>, name: &str, from: &str) {
    if let Some(value) = fields.get(from).cloned() {
        put(fields, name, value);
    }
}

fn put(fields: &mut Map<String, Value>, name: &str, value: Value) {
    if !fields.contains_key(name) {
        fields.insert(name.to_string(), value);
    }
}
