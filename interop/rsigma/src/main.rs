//! Times rsigma-eval: JSON lines in, verdicts out, on one thread.
//!
//! usage: rsigma-lane LANE.jsonl SECONDS RULES_DIR...
//!
//! It prints one line of JSON: rules, events, hits (of one pass), seconds, events_per_second (the median over passes).
//! Each event is evaluated against the rules of its logsource, as this engine's own documentation advises; the
//! logsource is told by channel and event id, for rules name no channels.

use std::{env, fs, path::Path, time::Instant};

use rsigma_eval::{Engine, event::JsonEvent};
use rsigma_parser::LogSource;
use serde_json::Value;

/// The Sysmon categories of the rule base.
fn category(id: &str, event: &Value) -> Option<&'static str> {
    Some(match id {
        "1" => "process_creation",
        "2" => "file_change",
        "3" => "network_connection",
        "6" => "driver_load",
        "7" => "image_load",
        "8" => "create_remote_thread",
        "9" => "raw_access_thread",
        "10" => "process_access",
        "11" => "file_event",
        "12" => match event.get("EventType").and_then(Value::as_str) {
            Some("CreateKey") => "registry_add",
            Some("DeleteKey" | "DeleteValue") => "registry_delete",
            _ => "registry_event",
        },
        "13" => "registry_set",
        "14" => "registry_rename",
        "15" => "create_stream_hash",
        "17" | "18" => "pipe_created",
        "19" | "20" | "21" => "wmi_event",
        "22" => "dns_query",
        "23" | "26" => "file_delete",
        "25" => "process_tampering",
        _ => return None,
    })
}

/// The logsource of a flat Windows event.
fn logsource(event: &Value) -> LogSource {
    let text = |name: &str| match event.get(name) {
        Some(Value::String(s)) => s.clone(),
        Some(Value::Number(n)) => n.to_string(),
        _ => String::new(),
    };
    let (channel, id) = (text("Channel").to_lowercase(), text("EventID"));
    let (service, category) = match channel.as_str() {
        "microsoft-windows-sysmon/operational" => (Some("sysmon"), category(&id, event)),
        "security" => (Some("security"), (id == "4688").then_some("process_creation")),
        "system" => (Some("system"), None),
        "application" => (Some("application"), None),
        "windows powershell" => (Some("powershell-classic"), None),
        "microsoft-windows-powershell/operational" => (
            Some("powershell"),
            match id.as_str() {
                "4103" => Some("ps_module"),
                "4104" => Some("ps_script"),
                _ => None,
            },
        ),
        _ => (None, None),
    };
    LogSource {
        product: Some("windows".into()),
        category: category.map(Into::into),
        service: service.map(Into::into),
        definition: None,
        custom: Default::default(),
    }
}

fn pass(engine: &Engine, lane: &str) -> (usize, usize) {
    let (mut events, mut hits) = (0, 0);
    for line in lane.lines().filter(|l| !l.is_empty()) {
        let value: Value = serde_json::from_str(line).expect("the lane holds JSON lines");
        hits += engine.evaluate_with_logsource(&JsonEvent::borrow(&value), &logsource(&value)).len();
        events += 1;
    }
    (events, hits)
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let [_, lane, seconds, rules @ ..] = args.as_slice() else {
        panic!("usage: rsigma-lane LANE.jsonl SECONDS RULES_DIR...")
    };
    let seconds: f64 = seconds.parse().expect("SECONDS is a number");
    let mut engine = Engine::new();
    for dir in rules {
        let collection = rsigma_parser::parse_sigma_directory(Path::new(dir)).expect("rules");
        engine.add_rules(&collection.rules);
    }
    let lane = fs::read_to_string(lane).expect("the lane");
    let (start, mut rates, mut last) = (Instant::now(), Vec::new(), (0, 0));
    while rates.is_empty() || start.elapsed().as_secs_f64() < seconds {
        let begun = Instant::now();
        last = pass(&engine, &lane);
        rates.push(last.0 as f64 / begun.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    println!(
        "{{\"rules\":{},\"events\":{},\"hits\":{},\"seconds\":{:.1},\"events_per_second\":{:.0}}}",
        engine.rule_count(), last.0, last.1, start.elapsed().as_secs_f64(), rates[rates.len() / 2]
    );
}
