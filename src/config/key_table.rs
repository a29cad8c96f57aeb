//! The one table of keys: names, forms, defaults, examples and explanations. Checks, nearest words and the man page
//! are made from it. PURE.

use super::keys::{AUTH, Form, Key, Only};

const fn key(name: &'static str, form: Form, default: &'static str, example: &'static str, about: &'static str) -> Key {
    Key { name, form, only: Only::Both, default, example, about }
}

const fn imap(key: Key) -> Key {
    Key { only: Only::Imap, ..key }
}

const fn pop3(key: Key) -> Key {
    Key { only: Only::Pop3, ..key }
}

/// Every key, in the order of the manual.
pub const KEYS: &[Key] = &[
    key(
        "protocol",
        Form::Choice(&["imap", "pop3"]),
        "\"imap\" if `provider` offers it",
        "\"imap\"",
        "The protocol. `mailferry run` syncs IMAP accounts and fetches POP3 accounts. Required unless `provider` implies it.",
    ),
    key(
        "provider",
        Form::Provider,
        "",
        "\"fastmail\"",
        "A preset: host, port, tls, OAuth 2.0 end points and known quirks of a provider. Other keys override it.",
    ),
    key(
        "host",
        Form::Host,
        "from `provider`",
        "\"imap.example.org\"",
        "The server's name or address: what its certificate must name.",
    ),
    key("port", Form::Number(1, 65_535), "993 or 143 (IMAP), 995 or 110 (POP3), by `tls`", "993", "The TCP port."),
    key(
        "tls",
        Form::Choice(&["implicit", "starttls", "none"]),
        "\"implicit\"; \"starttls\" if `port` is 143 or 110",
        "\"implicit\"",
        "When TLS begins: with the first byte, by STARTTLS or STLS (which the server must then offer), or never. With `none` password and mail can be read on the way.",
    ),
    key("user", Form::Text, "", "\"me@example.org\"", "The user name, often the whole address."),
    key(
        "auth",
        Form::Choice(AUTH),
        "\"auto\"",
        "\"scram-sha-256\"",
        "How to log in. `auto` takes the strongest mechanism that both sides know. `apop` is for POP3: without TLS `auto` takes it \
         before a password in clear, and a server that refuses it the first time is offered the password once.",
    ),
    key(
        "password_command",
        Form::Command,
        "prompt on a terminal",
        "\"pass show mail/work\"",
        "A command whose first line of output is the password. A string is run by sh -c, an array as it is. Of the password keys one may be set; an account's replaces that of [defaults].",
    ),
    key(
        "password_file",
        Form::Path,
        "",
        "\"~/.config/mailferry/work.pass\"",
        "A file whose first line is the password. One that others can read is warned of.",
    ),
    key(
        "password_env",
        Form::Text,
        "",
        "\"MAIL_PASSWORD\"",
        "The name of an environment variable that holds the password. It is removed from the environment of every command that mailferry runs.",
    ),
    key(
        "password_keyring",
        Form::Text,
        "",
        "\"mailferry-work\"",
        "The service name of an entry in the desktop's keyring (the Secret Service of GNOME Keyring or KWallet), whose attributes are `service`, this name, and `username`, the user name: `mailferry setup` makes one, and so does `secret-tool store --label=mail service mailferry-work username me@example.org`. It needs your session; cron has none.",
    ),
    key(
        "password",
        Form::Secret,
        "",
        "\"secret\"",
        "The password itself. Accepted only in a file that belongs to you and that no one else can read (chmod 600).",
    ),
    key(
        "oauth2",
        Form::OAuth2,
        "",
        "{ client_id = \"1234.apps.example\" }",
        "OAuth 2.0 sign-in instead of a password: a table, see OAUTH 2.0.",
    ),
    key(
        "tls_fingerprint",
        Form::Fingerprint,
        "",
        "\"sha256:c0535e4be2b79ffd93291305436bf889314e4a3faec05ecffcbb7df31ad9e51a\"",
        "Accept just the certificate with this SHA-256, on every connection. Replaces the checks of authority and name. `mailferry check` prints it.",
    ),
    key(
        "ca_file",
        Form::Path,
        "the system's trust",
        "\"/etc/ssl/private-ca.pem\"",
        "Certificates (PEM) to trust besides the system's.",
    ),
    key(
        "client_cert",
        Form::Path,
        "",
        "\"~/.config/mailferry/me.p12\"",
        "A PKCS #12 file with the certificate and key to present to the server.",
    ),
    key(
        "client_cert_password_command",
        Form::Command,
        "an empty password",
        "\"pass show mail/p12\"",
        "A command whose first line of output opens `client_cert`.",
    ),
    key(
        "tunnel",
        Form::Command,
        "",
        "\"ssh host /usr/lib/dovecot/imap\"",
        "A command whose standard input and output speak the protocol, instead of a TCP connection. Only here a server may greet as already logged in. `tls` is then `none` unless set.",
    ),
    key(
        "maildir",
        Form::Path,
        "\"~/Mail/{account}\"",
        "\"~/Mail/{account}\"",
        "The account's root directory. `~`, `${VAR}`, `{account}` and `{user}` expand; a relative path starts at the folder of the config file.",
    ),
    key(
        "layout",
        Form::Choice(&["nested", "maildir++"]),
        "\"nested\"",
        "\"nested\"",
        "`nested`: ROOT/INBOX, ROOT/Lists/rust. `maildir++`: INBOX is ROOT itself, the others ROOT/.Lists.rust.",
    ),
    key(
        "line_endings",
        Form::Choice(&["lf", "crlf"]),
        "\"lf\"",
        "\"lf\"",
        "How lines end on disk: `lf`, or `crlf`, byte for byte as on the wire.",
    ),
    imap(key(
        "folders",
        Form::Patterns,
        "[\"*\"]",
        "[\"INBOX\", \"Lists/*\", \"!Lists/noise\"]",
        "Patterns over the server's folder names, with `/` as the separator whatever the server's. `*` matches anything, `%` within one level, a leading `!` excludes, the last match wins.",
    )),
    imap(key("subscribed_only", Form::Flag, "false", "true", "Only folders that are subscribed on the server.")),
    imap(key(
        "mode",
        Form::Choice(&["sync", "mirror", "archive"]),
        "\"sync\"",
        "\"mirror\"",
        "`sync`: both sides become equal. `mirror`: the Maildir becomes what the server is, local flag changes and deletions are undone. `archive`: everything is pulled and nothing is ever deleted here.",
    )),
    imap(key(
        "direction",
        Form::Choice(&["both", "pull", "push"]),
        "\"both\"",
        "\"both\"",
        "`pull`: the server is never changed, local changes stay pending until `both` returns. `push`: the same the other way round. Neither deletes a message that only one side ever had.",
    )),
    imap(key(
        "trash",
        Form::Folder,
        "the folder marked \\Trash, else one named Trash, Deleted Items or Deleted Messages",
        "\"Trash\"",
        "The server's Trash folder.",
    )),
    imap(key(
        "on_delete",
        Form::Choice(&["trash", "expunge", "flag", "ignore"]),
        "\"trash\"",
        "\"trash\"",
        "What a message deleted here becomes on the server: moved to Trash, expunged, marked \\Deleted, or nothing.",
    )),
    imap(key(
        "on_remote_delete",
        Form::Choice(&["delete", "keep"]),
        "\"delete\"",
        "\"keep\"",
        "What happens here to a message that is gone from the server.",
    )),
    imap(key(
        "expunge",
        Form::Flag,
        "false",
        "true",
        "After a sync also expunge what carries \\Deleted and is safe here. Counts for max_delete.",
    )),
    imap(key(
        "max_delete",
        Form::Percent,
        "\"50%\"",
        "\"50%\"",
        "The deletion guard: a run that would delete more than 20 messages and more than this share of a folder, would empty a folder of 10 or more, or would delete more than 50 messages and more than this share of the account, leaves those alone and exits 65. Trash and Junk are excepted. \"100%\" turns it off.",
    )),
    imap(key(
        "create_folders",
        Form::Flag,
        "true",
        "true",
        "Create here and there the folders that only the other side has.",
    )),
    imap(key(
        "delete_folders",
        Form::Flag,
        "false",
        "false",
        "Remove folders that were removed on the other side, if nothing in them is unsynced.",
    )),
    pop3(key("folder", Form::Folder, "\"INBOX\"", "\"INBOX\"", "The folder that receives the mail.")),
    key(
        "keep",
        Form::Flag,
        "true",
        "true",
        "`fetch` leaves the server's copies. Of keep, delete and delete_after one may be set; an account's replaces that of [defaults].",
    ),
    key("delete", Form::Flag, "false", "true", "`fetch` deletes the server's copy after the download is safe on disk."),
    key(
        "delete_after",
        Form::Age(true),
        "",
        "\"30d\"",
        "`fetch` deletes the server's copy when it was first seen here longer ago than this. A number with s, m, h, d or w.",
    ),
    key(
        "max_size",
        Form::Size,
        "no limit",
        "\"25M\"",
        "Skip larger messages, both ways; `restore` brings them back all the same. A number with K, M, G (powers of 1024) or nothing.",
    ),
    key("connections", Form::Number(1, 100), "4", "4", "At most this many connections to the server at once."),
    key(
        "timeout",
        Form::Age(false),
        "\"60s\"",
        "\"60s\"",
        "After so long without a byte the connection is given up and tried again, up to three times.",
    ),
    key(
        "poll_interval",
        Form::Age(false),
        "\"5m\"",
        "\"5m\"",
        "How often `watch` looks where the server cannot tell of news.",
    ),
    key(
        "on_new",
        Form::Command,
        "",
        "\"notmuch new\"",
        "A command run once per run if new mail came, with MAILFERRY_ACCOUNT, MAILFERRY_NEW (how many) and MAILFERRY_CHANGED (a file with one changed path a line) set. If it fails, that is a warning.",
    ),
    key(
        "after",
        Form::Command,
        "",
        "[\"logger\", \"mail done\"]",
        "A command run at every end of a run, with the same variables.",
    ),
];

/// The keys of the table `oauth2`.
pub const OAUTH2: &[Key] = &[
    key(
        "client_id",
        Form::Text,
        "",
        "\"1234.apps.example\"",
        "The id of the application that you registered with the provider.",
    ),
    key("client_secret", Form::Secret, "", "\"secret\"", "Its secret, where the provider gives one."),
    key(
        "auth_url",
        Form::Url,
        "from `provider`",
        "\"https://login.example.org/authorize\"",
        "The authorization endpoint.",
    ),
    key("token_url", Form::Url, "from `provider`", "\"https://login.example.org/token\"", "The token endpoint."),
    key(
        "device_url",
        Form::Url,
        "from `provider`",
        "\"https://login.example.org/device\"",
        "The device authorization endpoint, for `mailferry auth --device`.",
    ),
    key("scopes", Form::Words, "from `provider`", "[\"https://mail.example.org/imap\"]", "The scopes to ask for."),
    key(
        "token_command",
        Form::Command,
        "",
        "\"oauth-helper work\"",
        "A command whose first line of output is an access token. Replaces all the others.",
    ),
];
