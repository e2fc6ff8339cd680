//! Runs the engine rsigma-eval on JSON lines, on one thread.
//!
//!     rsigma-lane check MAP RULES_DIR... <LINES         what it detects
//!     rsigma-lane time LANE SECONDS [--bloom] [--cross-rule-ac] MAP RULES_DIR...
//!
//! MAP is the rule base's tests/thor.yml. `check` prints JSON lines: {"rules", "rejected"}, then {"event", "rule",
//! "channel", "id"} for each detection, by the line's number from 0. `time` goes over a lane in memory once to warm
//! up, then again and again for so many seconds, and prints one line of JSON. An event is evaluated against the rules
//! of its logsource, as this engine's guide to performance advises; the two switches are its other options for speed.

mod event;
mod logsource;

use std::{
    env, fs,
    io::{self, BufRead, BufWriter, Write},
    path::Path,
    time::Instant,
};

use logsource::Router;
use rsigma_eval::{Engine, EvaluationResult, event::JsonEvent};
use serde_json::{Value, json};

const USAGE: &str = "usage: rsigma-lane check MAP RULES_DIR... | rsigma-lane time LANE SECONDS [--bloom] [--cross-rule-ac] MAP RULES_DIR...";

struct Lane {
    engine: Engine,
    router: Router,
    rules: usize,
    rejected: Vec<String>,
}

impl Lane {
    fn new(mut engine: Engine, map: &str, folders: &[String]) -> Self {
        let router = Router::new(&fs::read_to_string(map).expect(map));
        let (mut rules, mut rejected) = (Vec::new(), Vec::new());
        for folder in folders {
            let found = rsigma_parser::parse_sigma_directory(Path::new(folder)).expect(folder);
            rejected.extend(found.errors);
            rules.extend(found.rules);
        }
        let copies: Vec<_> = rules.iter().flat_map(|r| router.copies(r)).collect();
        for (i, err) in engine.add_rules(&copies) {
            rejected.push(format!("{}: {err}", copies[i].title));
        }
        Lane { engine, router, rules: rules.len(), rejected }
    }

    fn evaluate(&self, line: &str) -> (Vec<EvaluationResult>, Value) {
        let mut value: Value = serde_json::from_str(line).expect("a lane holds JSON lines");
        event::flatten(&mut value);
        let class = self.router.class(&value);
        event::rename(&mut value, class);
        (self.engine.evaluate_with_logsource(&JsonEvent::borrow(&value), &class.source), value)
    }

    /// One pass: events and detections.
    fn pass(&self, lane: &str) -> (usize, usize) {
        lane.lines().fold((0, 0), |(events, hits), line| (events + 1, hits + self.evaluate(line).0.len()))
    }
}

fn check(lane: &Lane) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, "{}", json!({"rules": lane.rules, "rejected": lane.rejected}))?;
    for (i, line) in io::stdin().lock().lines().enumerate() {
        let (hits, event) = lane.evaluate(&line?);
        for hit in hits {
            writeln!(out, "{}", json!({"event": i, "rule": hit.header.rule_id, "channel": event["Channel"], "id": event["EventID"]}))?;
        }
    }
    out.flush()
}

fn time(lane: &Lane, path: &str, seconds: f64) {
    let data = fs::read_to_string(path).expect(path);
    let (events, hits) = lane.pass(&data);
    let (start, cpu, mut passes) = (Instant::now(), cpu_seconds(), 0);
    while passes == 0 || start.elapsed().as_secs_f64() < seconds {
        assert_eq!(lane.pass(&data), (events, hits));
        passes += 1;
    }
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!("{}", json!({"rules": lane.rules, "events": events, "hits": hits, "passes": passes, "seconds": wall, "cpu_seconds": cpu}));
}

/// What this thread, the only one, had of a processor.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/schedstat").expect("/proc/self/schedstat");
    let nanoseconds = stat.split(' ').next().and_then(|s| s.parse::<f64>().ok());
    nanoseconds.expect("a number") / 1e9
}

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let mut engine = Engine::new();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["check", map, ..] => check(&Lane::new(engine, map, &args[2..])),
        ["time", path, seconds, rest @ ..] => {
            let switches = rest.iter().take_while(|a| a.starts_with("--")).count();
            for switch in &rest[..switches] {
                match *switch {
                    "--bloom" => engine.set_bloom_prefilter(true),
                    "--cross-rule-ac" => engine.set_cross_rule_ac(true),
                    _ => panic!("{USAGE}"),
                }
            }
            let [map, ..] = rest[switches..] else { panic!("{USAGE}") };
            let lane = Lane::new(engine, map, &args[3 + switches + 1..]);
            time(&lane, path, seconds.parse().expect("SECONDS is a number"));
            Ok(())
        }
        _ => panic!("{USAGE}"),
    }
}
