//! Tests of what reaches which stream.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::event::{Body, Event, Figures, Planned, Sink, Summary};
use super::table::{Column, Record, Value};
use super::*;

/// A stream that keeps what was written.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("kept").clone()).expect("UTF-8")
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("kept").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Output into two kept streams, stdout and stderr, neither a terminal unless `change` says so.
pub(super) fn captured(change: impl FnOnce(&mut UiOptions)) -> (Ui, Kept, Kept) {
    let (out, err) = (Kept::default(), Kept::default());
    let mut options = UiOptions::default();
    change(&mut options);
    (Ui::with_writers(options, Box::new(out.clone()), Box::new(err.clone())), out, err)
}

fn event(body: Body) -> Event {
    Event { body, account: Some("work".into()), folder: None }
}

fn one_new() -> Figures {
    Figures { downloaded: 1, ..Figures::default() }
}

/// What a run with one of everything tells.
fn everything(ui: &Ui) {
    ui.event(event(Body::AccountStarted { protocol: "imap", job: "sync" }));
    ui.progress("work", "INBOX", 3, 10);
    ui.event(event(Body::Warning { message: "a warning".into(), hint: None }));
    ui.event(event(Body::Error { kind: "protocol", message: "an error".into(), hint: Some("a hint".into()) }));
    let done = Body::Folder(one_new());
    ui.event(Event { folder: Some("INBOX".into()), ..event(done) });
    ui.event(event(Body::Summary(Summary { figures: one_new(), elapsed_ms: 100, ..Summary::default() })));
    ui.note("a note");
    ui.trace("C: LOGIN me ***");
}

const ERROR: &str = "error: work: an error\n  what to do: a hint\n";
const WARNING: &str = "warning: work: a warning\n";
const SUMMARY: &str = "work: 1 new (0.1 s)\n";

#[test]
fn cron_hears_of_trouble_only() {
    let (ui, out, err) = captured(|o| o.progress = true);
    ui.event(event(Body::AccountStarted { protocol: "imap", job: "sync" }));
    ui.progress("work", "INBOX", 3, 10);
    ui.event(event(Body::Summary(Summary { figures: one_new(), ..Summary::default() })));
    assert_eq!((out.text(), err.text()), (String::new(), String::new()));
    let (ui, out, err) = captured(|_| {});
    everything(&ui);
    assert_eq!((out.text().as_str(), err.text()), ("", format!("{WARNING}{ERROR}a note\n")));
}

#[test]
fn quiet_leaves_errors() {
    let (ui, out, err) =
        captured(|o| (o.quiet, o.stderr_is_tty, o.progress, o.no_color_env) = (true, true, true, true));
    everything(&ui);
    assert_eq!((out.text().as_str(), err.text().as_str()), ("", ERROR));
}

#[test]
fn a_terminal_gets_the_summary_and_verbose_the_folders() {
    let (ui, _, err) = captured(|o| (o.stderr_is_tty, o.color) = (true, Color::Never));
    everything(&ui);
    assert_eq!(err.text(), format!("{WARNING}{ERROR}{SUMMARY}a note\n"));
    let (ui, _, err) = captured(|o| o.verbose = 1);
    everything(&ui);
    assert_eq!(err.text(), format!("work: sync (IMAP)\n{WARNING}{ERROR}work INBOX: 1 new\n{SUMMARY}a note\n"));
}

#[test]
fn traces_need_two() {
    let (ui, out, err) = captured(|o| o.verbose = 2);
    ui.trace("S: * OK \x1b[2J");
    assert!(err.text().ends_with(" S: * OK \u{fffd}[2J\n"), "{}", err.text());
    assert_eq!(out.text(), "");
}

#[test]
fn json_is_alone_on_stdout() {
    for quiet in [false, true] {
        let (ui, out, err) = captured(|o| (o.json, o.quiet, o.stderr_is_tty) = (true, quiet, true));
        everything(&ui);
        ui.error(Kind::Config, None, "c.toml:3: unknown key `prot`", Some("did you mean `port`?"));
        ui.table(&[Column::left("account", "ACCOUNT")], &[Record::new("status").account("work")]);
        ui.check("work", "login", Verdict::Ok, "logged in", None);
        assert_eq!(err.text(), "");
        let names: Vec<String> = out
            .text()
            .lines()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).expect("JSON"))
            .inspect(|v| assert!(v["time"].as_str().is_some_and(|t| t.parse::<jiff::Timestamp>().is_ok())))
            .map(|v| v["event"].as_str().expect("event").to_owned())
            .collect();
        let expected = ["account_started", "warning", "error", "folder", "summary", "error", "status", "check"];
        assert_eq!(names, expected);
    }
}

#[test]
fn a_plan_is_data() {
    let (ui, out, err) = captured(|o| o.verbose = 1);
    let action = Planned { action: "delete", side: "remote", uid: Some(4), ..Planned::default() };
    ui.event(Event { folder: Some("INBOX".into()), ..event(Body::Planned(action)) });
    ui.event(event(Body::Summary(Summary { elapsed_ms: 200, ..Summary::default() })));
    assert_eq!(out.text(), "work INBOX: delete (remote), uid 4\n");
    assert_eq!(err.text(), "work: would delete 1 on the server; nothing was changed (0.2 s)\n");
}

#[test]
fn checks_and_complaints_read_well() {
    let (ui, out, err) = captured(|_| {});
    ui.check("work", "connect", Verdict::Ok, "imap.example.org:993, TLS 1.3", None);
    ui.check("work", "login", Verdict::Failed, "refused: \"Invalid credentials\"", Some("make an app password"));
    let expected = "  ok       connect       imap.example.org:993, TLS 1.3
  failed   login         refused: \"Invalid credentials\"
                         make an app password
";
    assert_eq!(out.text(), expected);
    let (narrow, lines, _) = captured(|o| {
        o.stdout_is_tty = true;
        o.no_color_env = true;
        o.term_width = Some(50);
    });
    narrow.check("work", "plan", Verdict::Warning, "INBOX (5), Drafts (0), Sent (2)", Some("look at it twice, please"));
    let expected = "  warning  plan          INBOX (5), Drafts (0),
                         Sent (2)
                         look at it twice, please
";
    assert_eq!(lines.text(), expected);
    ui.error(Kind::Config, Some("work"), "c.toml:3: unknown key `prot`", Some("did you mean `port`?"));
    let expected = "error: work: c.toml:3: unknown key `prot`\n  what to do: did you mean `port`?\n";
    assert_eq!(err.text(), expected);
    ui.record(&Record::new("difference").with("uid", Value::Number(3)), "INBOX: uid 3 is missing here\u{7}");
    assert!(out.text().ends_with("INBOX: uid 3 is missing here\u{fffd}\n"));
}

/// A stream that fails in one way.
struct Broken(io::ErrorKind, Arc<Mutex<u32>>);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        *self.1.lock().expect("count") += 1;
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_went_away_is_no_error_but_a_full_disk_is() {
    for (kind, expected) in
        [(io::ErrorKind::BrokenPipe, Ok(())), (io::ErrorKind::StorageFull, Err(io::ErrorKind::StorageFull))]
    {
        let writes = Arc::new(Mutex::new(0));
        let out = Broken(kind, Arc::clone(&writes));
        let options = UiOptions { json: true, ..UiOptions::default() };
        let ui = Ui::with_writers(options, Box::new(out), Box::new(Kept::default()));
        assert!(!ui.stdout_gone());
        everything(&ui);
        assert!(ui.stdout_gone());
        assert_eq!(*writes.lock().expect("count"), 1);
        assert_eq!(ui.finish().map_err(|e| e.kind()), expected);
    }
}

#[test]
fn notes_keep_their_shape() {
    let (ui, _, err) = captured(|_| {});
    ui.note("Add this line:\n    */5 * * * * mailferry run\n\nDone.\x1b");
    assert_eq!(err.text(), "Add this line:\n    */5 * * * * mailferry run\n\nDone.\u{fffd}\n");
}
