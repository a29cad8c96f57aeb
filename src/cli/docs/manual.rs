//! The prose of mailferry(1) and of the commands' pages. PURE.

use clap::Command;

use super::roff::Roff;
use crate::setup::schedule;

/// Title, name and synopsis of a page of section 1.
pub(super) fn head(name: &str, about: &str, usage: &str) -> String {
    let mut out = Roff::default();
    out.title(name, "1", about);
    out.section("SYNOPSIS").text(&format!("`{}`", usage.replace(" [", "` [")).replace("]`", "]"));
    out.finish()
}

/// The list of commands.
pub(super) fn commands(program: &Command) -> String {
    let mut out = Roff::default();
    out.section("COMMANDS").text("Each has a page of its own, such as `mailferry-sync`(1).");
    for command in program.get_subcommands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        out.item(command.get_name(), &format!("{}.", about.trim_end_matches('.')));
    }
    out.text(
        "An ACCOUNT that contains `://` is a URL and needs no config file: \
         `mailferry fetch pop3s://me@pop.example.org --into ~/Mail/work`. \
         `imaps` and `pop3s` use TLS from the first byte, `imap` and `pop3` require STARTTLS or STLS, \
         `imap+insecure` and `pop3+insecure` use none. The user name is percent-decoded. A password in a URL is \
         refused; use `--password-command`. `--into` is required.",
    );
    out.finish()
}

/// The sections of mailferry(1) after its options.
pub(super) fn program() -> String {
    let mut out = Roff::default();
    exits(&mut out);
    output(&mut out);
    files(&mut out);
    environment(&mut out);
    examples(&mut out);
    limitations(&mut out);
    out.section("SEE ALSO").text(
        "`mailferry.toml`(5), `crontab`(5), `systemd.timer`(5), and a page per command, such as `mailferry-run`(1)",
    );
    out.finish()
}

const EXITS: [(&str, &str); 10] = [
    ("0", "All done. No new mail is no failure."),
    ("1", "Several accounts failed, in different ways."),
    ("2", "Wrong usage."),
    ("65", "The deletion guard stopped something, or `verify` found differences. Nothing was lost."),
    ("69", "The server refuses or breaks the protocol, or single messages failed."),
    ("74", "The local disk: full, not writable, input or output error."),
    ("75", "Try again later: network, timeout, server busy, or another run holds the Maildir."),
    ("77", "Login or certificate refused."),
    ("78", "The configuration is wrong."),
    ("130", "Interrupted, after the work in hand was made safe."),
];

fn exits(out: &mut Roff) {
    out.section("EXIT STATUS");
    for (code, meaning) in EXITS {
        out.item(code, meaning);
    }
    out.text("If several things happen in one account, the first of 130, 78, 74, 77, 75, 69, 65 counts.");
}

fn output(out: &mut Roff) {
    out.section("OUTPUT")
        .text(
            "On a terminal there is a progress bar while work goes on and one summary line per account. Elsewhere nothing \
             is printed unless something is wrong, so that cron sends no mail; `-v` adds the summary, and everywhere a line for \
             each folder in which something changed. Errors say what \
             failed, why in the server's own words, and what to do. Data that was asked for goes to standard output, \
             everything else to standard error.",
        )
        .text(
            "With `--json` standard output holds one object a line, each with `event` and `time`, and where it applies \
             `account` and `folder`. Events of a run are `account_started`, `planned` (with -n), `warning`, `error` (with \
             `kind`, `message`, `hint`), a `folder` for each in which something was done, and one `summary` per account; the \
             two have `downloaded`, `uploaded`, \
             `flags_local`, `flags_remote`, `deleted_local`, `deleted_remote`, `moved_local`, `moved_remote`, `skipped`, and \
             the summary also `folders`, `bytes_in`, `bytes_out`, `round_trips`, `elapsed_ms`, `result` (ok, partial, failed) and `exit`. \
             `status`, `check`, `folders` and `verify` print one object per account, check, folder or difference. Later \
             versions may add fields and events.",
        );
}

fn files(out: &mut Roff) {
    out.section("FILES")
        .item(
            "~/.config/mailferry/config.toml",
            "The profile, see `mailferry.toml`(5); under $XDG_CONFIG_HOME if that is set.",
        )
        .item(
            "MAILDIR/.mailferry/state.db",
            "What both sides last had; with the layout maildir++ it is MAILDIR/mailferry/state.db. It belongs to the \
             Maildir: move, back up and delete the two together. Without it nothing is lost: the next run matches \
             messages by content and downloads nothing that is there.",
        )
        .item(
            "~/.local/state/mailferry/tokens/",
            "Tokens of accounts that sign in by OAuth 2.0, mode 0600; under $XDG_STATE_HOME if that is set.",
        )
        .item(
            "FOLDER/dovecot-keywords",
            "The names of the keywords that the letters a to z in file names stand for, in Dovecot's format.",
        );
}

fn environment(out: &mut Roff) {
    out.section("ENVIRONMENT")
        .item("MAILFERRY_CONFIG", "The config file, unless `--config` names one.")
        .item("XDG_CONFIG_HOME, HOME", "Where the config file is looked for; HOME is also `~` in paths.")
        .item("XDG_STATE_HOME", "Where tokens of OAuth 2.0 are kept, if it is set.")
        .item(
            "DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR",
            "The session bus, on which `password_keyring` finds the keyring. cron has none.",
        )
        .item("CREDENTIALS_DIRECTORY", "Set by systemd: an account without a password key takes the password from the file mailferry.ACCOUNT in it.")
        .item("NO_COLOR", "No colours, unless `--color always` is given.")
        .item(
            "MAILFERRY_ACCOUNT, MAILFERRY_NEW, MAILFERRY_CHANGED",
            "Set for the commands `on_new` and `after`: the account's name, the number of new messages, and a file that \
             lists the changed paths, one absolute path a line.",
        );
}

fn examples(out: &mut Roff) {
    out.section("EXAMPLES")
        .text("From an address to a working profile:")
        .code("mailferry setup me@example.org\nmailferry check\nmailferry sync -n\nmailferry run")
        .text("Every five minutes by cron (crontab -e); mail comes only if something is wrong:")
        .code(&schedule::cron_line("/usr/bin/mailferry", None))
        .text("The same as a systemd timer. ~/.config/systemd/user/mailferry.service:")
        .code(&schedule::systemd_service("/usr/bin/mailferry", None))
        .text("~/.config/systemd/user/mailferry.timer:")
        .code(&schedule::systemd_timer())
        .text("Then:")
        .code(schedule::SYSTEMD_ENABLE)
        .text("A backup that never loses what the server loses, checked message by message:")
        .code("mailferry sync backup        # mode = \"archive\" in the profile\nmailferry verify --deep backup")
        .text("Move a mailbox to another provider:")
        .code("mailferry sync old\nmailferry restore old --to new -n\nmailferry restore old --to new")
        .text("Fetch a POP3 mailbox without a profile and leave the mail there:")
        .code("mailferry fetch pop3s://me@pop.example.org --into ~/Mail/pop \\\n    --password-command \"pass show mail/pop\"");
}

fn limitations(out: &mut Roff) {
    out.section("LIMITATIONS")
        .text(
            "Dovecot does not read the Maildir flag `P` (passed), which stands for $Forwarded: a Dovecot that serves the \
             same Maildir does not show it, and mailferry keeps it.",
        )
        .text(
            "notmuch users put the state directory into its ignore list, or notmuch tries to index it: \
             `notmuch config set new.ignore .mailferry`.",
        )
        .text("A Maildir has letters for 26 keywords in a folder; a 27th stays on the server, with one warning.")
        .text("File systems that do not allow `:` in names (FAT, exFAT, some network shares) cannot hold a Maildir.")
        .text(
            "A POP3 server shows one folder and no flags, so POP3 accounts are fetched and never synced. Some providers \
             show only recent mail by POP3, or delete what was fetched, as their web settings say.",
        )
        .text(
            "A POP3 server that gives an id (UIDL) again, to another message, is found out by the size or the header: where an id \
             comes back, where the size is another, where new mail stands beside it, and always before anything is deleted. An \
             id that passed between two runs to another message of equal size, while nothing else came, is not: `--full` \
             compares every header.",
        )
        .text(
            "`fetch -n` retrieves nothing, for some servers delete what was. It says `compare` for a message that is here already \
             by its header: the run itself retrieves it, and stores it only if its content is another.",
        )
        .text("Google does not allow its mail scope in the device flow: `auth --device` does not work there.")
        .text("Exchange reports sizes that are estimates and refuses keywords; both are known and left in peace.")
        .text("Two machines may sync one server mailbox, each into its own Maildir, but not one shared Maildir at once.")
        .text(
            "A file in `cur` or `new` is uploaded when it is two seconds old, for it may still be written to: a run that \
             finds a younger one waits so long.",
        )
        .text(
            "POP3 ends every message with a line end: one whose last line has none on the server has one after a fetch.",
        )
        .text(
            "COMPRESS is used on slow lines alone (below some 3 MB a second and connection, which half a megabyte shows), and \
             never with a server on this machine.",
        )
        .text(
            "A message with NUL bytes is uploaded only to a server with BINARY; elsewhere it stays here, told with every run. \
             Many servers, Dovecot among them, show such bytes as others to whoever fetches them.",
        )
        .text("It writes nothing but Maildir, sends no mail and does not filter. It is made for Linux.");
}

/// The sections of a command's page after its options.
pub(super) fn command(name: &str) -> String {
    let mut out = Roff::default();
    match name {
        "watch" => watch(&mut out),
        "import" => import(&mut out),
        _ => {}
    }
    out.section("EXIT STATUS");
    let relevant: &[&str] = match name {
        "completions" | "man" => &["0", "2"],
        "import" => &["0", "2", "74", "78"],
        "status" => &["0", "2", "74", "75", "78"],
        "setup" | "auth" => &["0", "2", "69", "74", "75", "77", "78", "130"],
        "watch" => &["0", "1", "2", "75", "77", "78"],
        "verify" | "sync" | "run" => &["0", "1", "2", "65", "69", "74", "75", "77", "78", "130"],
        _ => &["0", "1", "2", "69", "74", "75", "77", "78", "130"],
    };
    for (code, meaning) in EXITS.iter().filter(|(code, _)| relevant.contains(code)) {
        out.item(code, meaning);
    }
    out.section("EXAMPLES");
    for (what, line) in command_examples(name) {
        out.text(what).code(line);
    }
    out.section("SEE ALSO").text("`mailferry`(1), `mailferry.toml`(5)");
    out.finish()
}

fn watch(out: &mut Roff) {
    out.section("HOW IT WATCHES")
        .text(
            "A server with NOTIFY tells of all your folders on one connection (those that others share are looked at every \
             `poll_interval`). Elsewhere IDLE listens to INBOX, and as far as \
             `connections` allows to the most active other folders; one connection always stays for the work, so with \
             `connections = 1` nothing listens. Every `poll_interval` everything is looked at, whatever was told. Changes \
             in the Maildir are seen at once; a new message there is sent when it is two seconds old. New folders are heard of \
             by NOTIFY, and otherwise seen with the next round. What a round itself changes in the Maildir starts no other. \
             POP3 accounts are asked every `poll_interval`. Where the system has no inotify watches left, one warning says so, and \
             the Maildir is looked at every `poll_interval`.",
        )
        .text(
            "Each round is what `run` would do, and takes the Maildir for its time only: a cron line beside it does no harm. \
             Rounds that changed something have a summary, and run the hooks; a failure that lasts is told once. After a \
             failure the pause grows from two seconds to five minutes. A server or network that comes back, and a machine \
             that wakes, are noticed. An account whose login is refused is given up; with none left, it ends.",
        );
    out.section("AS A SERVICE")
        .text("~/.config/systemd/user/mailferry-watch.service:")
        .code(&schedule::systemd_watch("/usr/bin/mailferry", None));
    out.text("Then:").code(schedule::SYSTEMD_WATCH_ENABLE);
    out.text(
        "It tells systemd when it is ready, how it is (`systemctl --user status mailferry-watch`), and that it lives. A \
         secret that a command must ask for is asked for at the start and kept in memory.",
    );
}

fn import(out: &mut Roff) {
    out.section("MOVING IN")
        .text(
            "Let the old program finish a last run and switch it off. Write the profile, read its warnings, then take over \
             its state, and look at what the first run would do:",
        )
        .code("mailferry import mbsync > ~/.config/mailferry/config.toml\nmailferry import mbsync --state -n\nmailferry import mbsync --state\nmailferry sync -n")
        .text(
            "`--state` gives the folders of mbsync and OfflineIMAP the names that mailferry uses (nested, in UTF-8) and puts \
             aside files of mbsync that only stand for a message over its MaxSize. The first sync then matches messages by \
             their headers, sizes and, in doubt, contents: what both sides have is neither downloaded nor uploaded. Of \
             getmail, fetchmail and mpop it remembers which messages were fetched.",
        )
        .text(
            "What was changed after the old program's last run is carried across like any change; only a deletion since \
             then is not known as one, and the message comes back.",
        );
}

fn command_examples(name: &str) -> &'static [(&'static str, &'static str)] {
    match name {
        "run" => &[("The line for cron:", "mailferry run"), ("What would it do?", "mailferry run -n work")],
        "sync" => &[
            ("Both ways, all IMAP accounts:", "mailferry sync"),
            ("Only from the server, only the lists:", "mailferry sync work --direction pull --folder 'Lists/*'"),
            (
                "Carry out a deletion that the guard stopped, after looking at it:",
                "mailferry sync -n work\nmailferry sync --allow-mass-delete work",
            ),
        ],
        "fetch" => &[
            ("All POP3 accounts:", "mailferry fetch"),
            (
                "Without a profile; delete from the server what was first seen here more than 30 days ago:",
                "mailferry fetch pop3s://me@pop.example.org --into ~/Mail/pop --delete-after 30d",
            ),
        ],
        "watch" => &[("Stay and sync as mail comes:", "mailferry watch work")],
        "check" => &[("All accounts, or one, for scripts:", "mailferry check\nmailferry check --json work")],
        "status" => &[("What is not synced yet?", "mailferry status")],
        "folders" => &[("What is there, and where does it go?", "mailferry folders work")],
        "verify" => &[("Is the backup what the server has, to the byte?", "mailferry verify --deep backup")],
        "restore" => &[
            ("Put back what the server lost:", "mailferry restore work -n\nmailferry restore work"),
            ("Copy to another account:", "mailferry restore old --to new"),
        ],
        "setup" => &[
            ("Ask what cannot be found out:", "mailferry setup me@example.org"),
            (
                "Ask nothing:",
                "mailferry setup me@example.org --name work --protocol imap --host imap.example.org \\\n    --password-command 'pass show mail/work' --mode sync --yes",
            ),
        ],
        "auth" => &[
            ("With a browser on this machine:", "mailferry auth work"),
            ("Without one, where the provider allows it:", "mailferry auth --device work"),
        ],
        "import" => &[
            ("Look, then keep:", "mailferry import mbsync\nmailferry import mbsync > ~/.config/mailferry/config.toml"),
            (
                "Fetch nothing twice after getmail:",
                "mailferry import getmail --state -n\nmailferry import getmail --state",
            ),
        ],
        "completions" => {
            &[("For bash:", "mailferry completions bash > ~/.local/share/bash-completion/completions/mailferry")]
        }
        "man" => &[("Read a page without installing it:", "mailferry man sync | man -l -")],
        _ => &[],
    }
}
