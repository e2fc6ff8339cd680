//! Which Sigma logsource an event has, told by the rule base's own map (tests/thor.yml): channels to services, event
//! ids and EventType to categories.
//!
//! This engine takes one logsource for an event, but an event may have several categories (a value that is set is both
//! registry_event and registry_set). So the categories of one event are joined to one name, and a rule is loaded
//! once for each name that its own category is part of.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rsigma_parser::{LogSource, SigmaRule};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Map {
    logsources: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    category: Option<String>,
    service: Option<String>,
    #[serde(default)]
    conditions: BTreeMap<String, Value>,
    rewrite: Option<Rewrite>,
    #[serde(default)]
    sources: Vec<String>,
    /// Sigma's name to the event's.
    #[serde(default)]
    fieldmappings: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Rewrite {
    service: String,
}

/// The texts of one value or of a list of values.
fn texts(v: &Value) -> Vec<String> {
    match v {
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::String(s) => vec![s.clone()],
        v => vec![v.to_string()],
    }
}

/// What events of one kind are to the rules.
#[derive(Default)]
pub struct Class {
    pub source: LogSource,
    /// Fields that rules call otherwise: their name, the event's.
    pub names: Vec<(String, String)>,
}

/// A category that asks for a field's value beside the event id.
struct Narrowed {
    field: String,
    value: String,
    class: Class,
}

/// The events of one channel and id.
#[derive(Default)]
struct Kind {
    narrowed: Vec<Narrowed>,
    otherwise: Class,
}

#[derive(Default)]
struct Channel {
    kinds: HashMap<u64, Kind>,
    otherwise: Class,
}

pub struct Router {
    channels: HashMap<String, Channel>, // in lower case
    unknown: Channel,
    nothing: Class,
    /// A category to the names that it is part of.
    joined: BTreeMap<String, BTreeSet<String>>,
}

impl Router {
    pub fn new(map: &str) -> Self {
        let map: Map = yaml_serde::from_str(map).expect("a map of logsources");
        let mut services: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for e in map.logsources.values() {
            for source in &e.sources {
                if let (Some(channel), Some(service)) = (source.strip_prefix("WinEventLog:"), &e.service) {
                    services.entry(service.clone()).or_default().push(channel.to_lowercase());
                }
            }
        }
        let mut out = Router {
            channels: HashMap::new(),
            unknown: Channel { otherwise: class(&[], None), ..Default::default() },
            nothing: Class::default(),
            joined: BTreeMap::new(),
        };
        for (service, channels) in &services {
            for channel in channels {
                let categories = map.logsources.values().filter(|e| e.rewrite.as_ref().is_some_and(|r| r.service == *service));
                let kinds = out.kinds(service, categories.collect());
                out.channels.insert(channel.clone(), Channel { kinds, otherwise: class(&[], Some(service)) });
            }
        }
        out
    }

    /// The kinds of events of a service, out of the entries of its categories.
    fn kinds(&mut self, service: &str, entries: Vec<&Entry>) -> HashMap<u64, Kind> {
        let mut by_id: BTreeMap<u64, Vec<&Entry>> = BTreeMap::new();
        for e in entries {
            for id in texts(&e.conditions["EventID"]) {
                by_id.entry(id.parse().expect("an event id")).or_default().push(e);
            }
        }
        let mut kinds = HashMap::new();
        for (id, entries) in by_id {
            let (narrow, plain): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|e| e.conditions.len() > 1);
            let mut kind = Kind { otherwise: self.join(service, &plain), ..Default::default() };
            for e in narrow {
                let all: Vec<&Entry> = plain.iter().copied().chain([e]).collect();
                for (field, values) in e.conditions.iter().filter(|(field, _)| *field != "EventID") {
                    for value in texts(values) {
                        kind.narrowed.push(Narrowed { field: field.clone(), value, class: self.join(service, &all) });
                    }
                }
            }
            kinds.insert(id, kind);
        }
        kinds
    }

    fn join(&mut self, service: &str, entries: &[&Entry]) -> Class {
        let mut categories: Vec<&str> = entries.iter().filter_map(|e| e.category.as_deref()).collect();
        categories.sort_unstable();
        let mut class = class(&categories, Some(service));
        for category in categories {
            let name = class.source.category.clone().expect("it has some");
            self.joined.entry(category.to_string()).or_default().insert(name);
        }
        for e in entries {
            class.names.extend(e.fieldmappings.clone());
        }
        class
    }

    /// The rules to load in place of one.
    pub fn copies(&self, rule: &SigmaRule) -> Vec<SigmaRule> {
        let Some(names) = rule.logsource.category.as_ref().and_then(|c| self.joined.get(c)) else {
            return vec![rule.clone()];
        };
        let copy = |name: &String| {
            let mut out = rule.clone();
            out.logsource.category = Some(name.clone());
            out
        };
        names.iter().map(copy).collect()
    }

    /// What an event of the flat shape is.
    pub fn class(&self, event: &Value) -> &Class {
        let Some(channel) = event.get("Channel").and_then(Value::as_str) else { return &self.nothing };
        let channel = match self.channels.get(channel) {
            Some(found) => found,
            None => self.channels.get(&channel.to_lowercase()).unwrap_or(&self.unknown),
        };
        let id = match event.get("EventID") {
            Some(Value::Number(n)) => n.as_u64(),
            Some(Value::String(s)) => s.parse().ok(),
            _ => None,
        };
        let Some(kind) = id.and_then(|id| channel.kinds.get(&id)) else { return &channel.otherwise };
        let holds = |n: &&Narrowed| event.get(&n.field).and_then(Value::as_str).is_some_and(|s| s.eq_ignore_ascii_case(&n.value));
        kind.narrowed.iter().find(holds).map_or(&kind.otherwise, |n| &n.class)
    }
}

fn class(categories: &[&str], service: Option<&str>) -> Class {
    let source = LogSource {
        product: Some("windows".into()),
        category: (!categories.is_empty()).then(|| categories.join("+")),
        service: service.map(Into::into),
        ..Default::default()
    };
    Class { source, names: Vec::new() }
}
