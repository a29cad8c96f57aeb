//! An import as mailferry TOML, with comments for what was not taken over.

use std::fmt::Write as _;

use toml_edit::{Array, InlineTable};

use super::model::{Imported, ImportedAccount, Value, one_line};

/// The configuration file for `imported`. Passwords are written only if `with_passwords`.
///
/// The text is valid TOML whatever the names and values hold; an account that is not enabled is a comment as a whole.
#[must_use]
pub fn render(imported: &Imported, with_passwords: bool) -> String {
    let mut out = String::new();
    for warning in imported.warnings.iter().filter(|warning| !belongs_to_account(imported, warning)) {
        comment(&mut out, &format!("Not taken over: {warning}"));
    }
    for account in &imported.accounts {
        if !out.is_empty() {
            out.push('\n');
        }
        let table = account_table(account, with_passwords);
        if account.enabled {
            out.push_str(&table);
        } else {
            comment(&mut out, "Left out of every run by the other tool; remove the leading \"# \" to use it:");
            for line in table.lines() {
                let _ = writeln!(out, "# {line}");
            }
        }
    }
    out
}

fn belongs_to_account(imported: &Imported, warning: &super::model::Warning) -> bool {
    imported.accounts.iter().any(|account| account.notes.contains(warning))
}

fn account_table(account: &ImportedAccount, with_passwords: bool) -> String {
    let mut out = String::new();
    for note in &account.notes {
        comment(&mut out, &note.to_string());
    }
    let name = toml_edit::Key::new(account.name.as_str());
    let _ = writeln!(out, "[accounts.{name}]");
    for (key, value) in &account.keys {
        let _ = writeln!(out, "{key} = {}", toml_value(value));
    }
    match &account.password {
        Some(password) if with_passwords => {
            let _ = writeln!(out, "password = {}", toml_value(&Value::from(password.reveal())));
        }
        Some(_) => {
            comment(&mut out, "The password was left out: use password_command, password_file or password_keyring,");
            comment(&mut out, "or import with --with-passwords.");
        }
        None => {}
    }
    out
}

/// `text` may hold anything: a line break would end the comment.
fn comment(out: &mut String, text: &str) {
    let _ = writeln!(out, "# {}", one_line(text));
}

fn toml_value(value: &Value) -> toml_edit::Value {
    match value {
        Value::Text(text) => text.as_str().into(),
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::List(list) => toml_edit::Value::Array(list.iter().map(String::as_str).collect::<Array>()),
        Value::Table(rows) => {
            let mut table = InlineTable::new();
            for (key, value) in rows {
                table.insert(*key, toml_value(value));
            }
            toml_edit::Value::InlineTable(table)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::import::model::Password;

    fn account(name: &str) -> ImportedAccount {
        let mut account = ImportedAccount::new(name);
        account.set("user", "me@example.org");
        account.password = Some(Password::new("se\"cr\\et\n".to_owned()));
        account
    }

    fn load(text: &str) -> toml::Table {
        text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    #[test]
    fn a_password_is_written_only_when_asked_for() {
        let mut imported = Imported::default();
        imported.add(account("work"));
        assert!(!render(&imported, false).contains("cr\\"));
        let table = load(&render(&imported, true));
        assert_eq!(table["accounts"]["work"]["password"].as_str(), Some("se\"cr\\et\n"));
    }

    #[test]
    fn a_disabled_account_is_only_comments() {
        let mut imported = Imported::default();
        let mut off = account("off");
        off.enabled = false;
        imported.add(off);
        imported.add(account("on.line"));
        let text = render(&imported, true);
        let table = load(&text);
        assert_eq!(table["accounts"].as_table().map(toml::Table::len), Some(1));
        assert!(table["accounts"]["on.line"].is_table());
        assert!(text.contains("# [accounts.off]"), "{text}");
    }

    #[test]
    fn tables_and_lists() {
        let mut imported = Imported::default();
        let mut work = ImportedAccount::new("work");
        work.set("folders", vec!["INBOX".to_owned(), "!a\"b".to_owned()]);
        work.set("oauth2", Value::Table(vec![("token_command", Value::from("t o"))]));
        work.set("connections", 3_u16);
        imported.add(work);
        let table = load(&render(&imported, false));
        assert_eq!(table["accounts"]["work"]["folders"][1].as_str(), Some("!a\"b"));
        assert_eq!(table["accounts"]["work"]["oauth2"]["token_command"].as_str(), Some("t o"));
        assert_eq!(table["accounts"]["work"]["connections"].as_integer(), Some(3));
    }

    proptest! {
        #[test]
        fn any_text_gives_valid_toml(name in any::<String>(), value in any::<String>(), note in any::<String>(), enabled: bool) {
            let mut work = ImportedAccount::new(&name);
            work.set("user", value.as_str());
            work.set("folders", vec![value.clone()]);
            work.warn(1, &note);
            work.enabled = enabled;
            work.password = Some(Password::new(value.clone()));
            let mut imported = Imported::default();
            imported.warn(0, &note);
            imported.add(work);
            let table = load(&render(&imported, true));
            if enabled {
                let name = &imported.accounts[0].name;
                prop_assert_eq!(table["accounts"][name.as_str()]["user"].as_str(), Some(value.as_str()));
            }
        }
    }
}
