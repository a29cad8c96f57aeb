//! How a profile is run again and again: the line for cron, the units for systemd. PURE.

/// The line for `crontab -e`: every five minutes, silent when all is well. `config` is the file if it is not where
/// cron's bare environment would look.
#[must_use]
pub fn cron_line(program: &str, config: Option<&str>) -> String {
    let option = config.map(|file| format!(" -c {}", shell_word(file))).unwrap_or_default();
    // In a crontab an unescaped `%` ends the command.
    format!("*/5 * * * * {}{option} run", shell_word(program)).replace('%', "\\%")
}

/// `~/.config/systemd/user/mailferry.service`.
#[must_use]
pub fn systemd_service(program: &str, config: Option<&str>) -> String {
    let option = config.map(|file| format!(" -c {}", unit_word(file))).unwrap_or_default();
    // systemd takes 75 (another run, no network) for a failure unless told otherwise.
    format!(
        "[Unit]\nDescription=Fetch and synchronise mail\n\n[Service]\nType=oneshot\nExecStart={}{option} run\nSuccessExitStatus=75\n",
        unit_word(program)
    )
}

/// `~/.config/systemd/user/mailferry.timer`.
#[must_use]
pub fn systemd_timer() -> String {
    "[Unit]\nDescription=Fetch and synchronise mail every five minutes\n\n[Timer]\nOnBootSec=2min\nOnUnitInactiveSec=5min\n\
     RandomizedDelaySec=30s\n\n[Install]\nWantedBy=timers.target\n"
        .to_owned()
}

/// `~/.config/systemd/user/mailferry-watch.service`: `mailferry watch` from login to logout.
#[must_use]
pub fn systemd_watch(program: &str, config: Option<&str>) -> String {
    let option = config.map(|file| format!(" -c {}", unit_word(file))).unwrap_or_default();
    // A refused login or a wrong profile does not mend by being tried again.
    format!(
        "[Unit]\nDescription=Keep mail in step\n\n[Service]\nType=notify\nExecStart={}{option} watch\nRestart=on-failure\n\
         RestartSec=30s\nRestartPreventExitStatus=2 77 78\nWatchdogSec=3min\n\n[Install]\nWantedBy=default.target\n",
        unit_word(program)
    )
}

/// The command that starts the watch.
pub const SYSTEMD_WATCH_ENABLE: &str = "systemctl --user enable --now mailferry-watch.service";

/// The command that starts the timer.
pub const SYSTEMD_ENABLE: &str = "systemctl --user enable --now mailferry.timer";

fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn unit_word(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    if escaped.contains([' ', '\'', '"', '\\']) { format!("\"{escaped}\"") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(cron_line("/usr/bin/mailferry", None), "*/5 * * * * /usr/bin/mailferry run");
        assert_eq!(cron_line("/my bin/50%", None), "*/5 * * * * '/my bin/50\\%' run");
        assert!(systemd_service("/usr/bin/mailferry", None).contains("\nExecStart=/usr/bin/mailferry run\n"));
        assert!(systemd_service("/my bin/%x", None).contains("ExecStart=\"/my bin/%%x\" run"));
        assert_eq!(cron_line("mf", Some("/a b%")), "*/5 * * * * mf -c '/a b\\%' run");
        assert!(systemd_service("mf", Some("/a b")).contains("ExecStart=mf -c \"/a b\" run"));
        assert!(systemd_watch("/usr/bin/mailferry", None).contains("\nExecStart=/usr/bin/mailferry watch\n"));
        assert!(systemd_watch("mf", Some("/a b")).contains("ExecStart=mf -c \"/a b\" watch"));
        assert!(systemd_timer().ends_with("WantedBy=timers.target\n"));
    }
}
