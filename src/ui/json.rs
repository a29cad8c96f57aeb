//! `--json`: one object a line, names exact, nothing in it that a terminal could act on. PURE but for the time, which is passed in.

use std::fmt::Write as _;

use serde::Serialize;

use super::event::Event;
use super::table::Record;
use crate::mail::text::is_dangerous;

/// What every object begins with.
#[derive(Serialize)]
struct Line<'a, T: Serialize> {
    event: &'a str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<&'a str>,
    #[serde(flatten)]
    rest: T,
}

/// RFC 3339 in UTC with milliseconds.
fn rfc3339(now: jiff::Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// An event as a line, without the line end.
#[must_use]
pub fn event(event: &Event, now: jiff::Timestamp) -> String {
    // The body carries its own name, so it is taken out of the object and put first.
    let mut rest = match serde_json::to_value(&event.body) {
        Ok(serde_json::Value::Object(fields)) => fields,
        Ok(_) | Err(_) => serde_json::Map::new(),
    };
    let name = rest.remove("event");
    let name = name.as_ref().and_then(serde_json::Value::as_str).unwrap_or("unknown");
    line(name, event.account.as_deref(), event.folder.as_deref(), rest, now)
}

/// A record as a line, without the line end.
#[must_use]
pub fn record(record: &Record, now: jiff::Timestamp) -> String {
    let fields: serde_json::Map<String, serde_json::Value> =
        record.fields.iter().filter_map(|(name, value)| Some(((*name).to_owned(), value.to_json()?))).collect();
    line(record.event, record.account.as_deref(), record.folder.as_deref(), fields, now)
}

fn line(
    event: &str,
    account: Option<&str>,
    folder: Option<&str>,
    rest: serde_json::Map<String, serde_json::Value>,
    now: jiff::Timestamp,
) -> String {
    let text = serde_json::to_string(&Line { event, time: rfc3339(now), account, folder, rest });
    escape(&text.unwrap_or_default())
}

/// Control and bidi characters, which `serde_json` leaves as they are from U+007F on, as `\uXXXX` (RFC 8259 §7).
/// Outside of strings compact JSON is ASCII without controls, so every such character stands in a string.
fn escape(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_dangerous(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::event::{Body, Figures, Planned, RunResult, Summary};
    use super::super::table::Value;
    use super::*;
    use proptest::prelude::*;

    const NOW: jiff::Timestamp = jiff::Timestamp::constant(1_795_299_300, 42_000_000);

    #[test]
    fn a_summary_has_every_field() {
        let summary = Summary {
            figures: Figures { downloaded: 3, ..Figures::default() },
            result: RunResult::Partial,
            exit: 69,
            ..Summary::default()
        };
        let text = event(&Event { body: Body::Summary(summary), account: Some("work".into()), folder: None }, NOW);
        assert!(
            text.starts_with(r#"{"event":"summary","time":"2026-11-21T22:15:00.042Z","account":"work","#),
            "{text}"
        );
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for name in [
            "uploaded",
            "flags_local",
            "flags_remote",
            "deleted_local",
            "deleted_remote",
            "moved_local",
            "moved_remote",
            "skipped",
            "folders",
            "bytes_in",
            "bytes_out",
            "round_trips",
            "elapsed_ms",
        ] {
            assert_eq!(value[name], 0, "{name}");
        }
        assert_eq!(
            (&value["downloaded"], &value["result"], &value["exit"]),
            (&3.into(), &"partial".into(), &69.into())
        );
    }

    #[test]
    fn names_are_exact_and_harmless() {
        let folder = "a\u{1b}[2J\u{202e}b\u{9b}\u{7f}ü/日";
        let planned = Planned { action: "download", side: "local", uid: Some(7), ..Planned::default() };
        let text = event(&Event { body: Body::Planned(planned), account: None, folder: Some(folder.into()) }, NOW);
        assert!(text.contains(r"a\u001b[2J\u202eb\u009b\u007fü/日"), "{text}");
        assert!(!text.contains("account"), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["folder"], folder);
    }

    #[test]
    fn a_record_leaves_out_what_is_not_known() {
        let text = record(
            &Record::new("folder")
                .account("work")
                .folder("INBOX")
                .with("messages", Value::Number(3))
                .with("special", Value::Missing),
            NOW,
        );
        assert!(text.ends_with(r#""account":"work","folder":"INBOX","messages":3}"#), "{text}");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(message in any::<String>(), hint in proptest::option::of(any::<String>())) {
            let body = Body::Error { kind: "disk", message: message.clone(), hint: hint.clone() };
            let text = event(&Event { body, account: Some(message.clone()), folder: None }, NOW);
            prop_assert!(!text.chars().any(is_dangerous));
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            prop_assert_eq!(value["message"].as_str(), Some(message.as_str()));
            prop_assert_eq!(value["account"].as_str(), Some(message.as_str()));
            prop_assert_eq!(value["hint"].as_str(), hint.as_deref());
        }
    }
}
