//! Damaged input for every parser but IMAP's: no panic, no hang, and what comes out is no larger than what went in allows.

use std::path::Path;

use proptest::prelude::*;

use crate::auth::sasl::{Exchange, Mechanism, Peer};
use crate::auth::{Credentials, Secret};
use crate::config::{self, check::World};
use crate::imap::name;
use crate::import::{Imported, fetchmail, getmail, mbsync, mpop, offlineimap, render, state};
use crate::mail::content::ContentHasher;
use crate::mail::uid::UidSet;
use crate::maildir::{FileName, Keywords, Place};
use crate::mutated::{mutated, pieces};
use crate::pop3::{multiline, parse};
use crate::setup::autoconfig;

fn seeds(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|s| s.as_bytes().to_vec()).collect()
}

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("../tests/data/import/", $name))
    };
}

const POP3_WORDS: &[&str] =
    &["+OK", "-ERR", "[IN-USE]", "[SYS/TEMP]", "\r\n.\r\n", "\r\n..", ".", " ", "\r", "\n", "<", "@", ">", "+ "];
const TOOL_WORDS: &[&str] = &[
    "\n",
    "\\\n",
    "\"",
    "'",
    "[",
    "]",
    "#",
    "=",
    "%(",
    ")s",
    "${HOME}",
    "~",
    "lambda x: ",
    "re.sub(",
    "poll",
    "Channel",
    "IMAPStore",
    "account",
    "password",
    "True",
    "\t",
    "\r\n",
];

proptest! {
    #[test]
    fn mutations_of_pop3_answers(bytes in mutated(seeds(&[
        "+OK Dovecot ready. <1896.697170952@dbc.mtview.ca.us>", "-ERR [IN-USE] Do you have another POP session running?",
        "+OK 2 320", "1 whqtswO00WBw418f9t5JxYwZ", "2 999", "+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+",
        "SASL PLAIN XOAUTH2", "LOGIN-DELAY 300 USER", "-ERR [SYS/TEMP/x] later", "1 -5", "1    two words",
    ]), POP3_WORDS)) {
        let _ = (parse::status(&bytes), parse::auth_line(&bytes), parse::timestamp(&bytes), parse::drop_listing(&bytes));
        let _ = (parse::scan_listing(&bytes), parse::unique_id_listing(&bytes), parse::capability(&bytes));
    }

    #[test]
    fn mutations_of_pop3_bodies(bytes in mutated(seeds(&[
        "Subject: a\r\n\r\nx\r\n.\r\n", "..stuffed\r\n...\r\n.\r\n", "bare\n.\nlf\r\n.\r\n", "cr\r.\r\r\n.\r\n", ".\r\n", "\r\n\r\n.\r\n",
    ]), POP3_WORDS), piece in 1usize..9, bare: bool) {
        let mut decoder = multiline::Multiline::new(bare);
        let mut told = 0;
        for chunk in bytes.chunks(piece) {
            let step = decoder.push(chunk, &mut |part| { told += part.len(); Ok(()) }).expect("the sink takes all");
            if step.done { break }
        }
        prop_assert!(told <= bytes.len() + 2);
    }

    #[test]
    fn mutations_of_maildir_names(bytes in mutated(seeds(&[
        "1700000000.M1P2.host:2,FRS", "1700000000.abcdef.mailferry,U=7,FMD5=x:2,Sab", "cur/1.a.h:2,", "new/1.a", "a!2,S", "1.a:2,SS:2,T", "1;2,S",
    ]), &[":2,", ":1,", "!2,", "cur/", "new/", "tmp/", "/", "\0", "..", ",S=", ",W=", "é"])) {
        let name = FileName::new(&bytes).map(|n| (n.letters(), n.unique().len()));
        if let Some(place) = Place::from_bytes(&bytes) {
            let again = Place::from_bytes(&place.to_bytes());
            prop_assert_eq!(again.as_ref(), Some(&place));
        }
        let _ = (name, FileName::of_unique(&bytes));
    }

    #[test]
    fn mutations_of_keyword_lists(bytes in mutated(seeds(&[
        "0 $Forwarded\n1 work\n25 todo\n", "0 a\n0 b\n", "26 z\n", "0 \n", "7 Ünicode\r\n",
    ]), &["\n", "\r", " ", "25 ", "\0", "0 0 0"])) {
        let once = Keywords::parse(&bytes).to_bytes();
        prop_assert_eq!(Keywords::parse(&once).to_bytes(), once);
    }

    #[test]
    fn mutations_of_folder_names(bytes in mutated(seeds(&[
        "INBOX", "Entw&APw-rfe", "&ZeVnLIqe-/&U,BTFw-", "a&-b", "&2D3eAA-", "~peter/mail/&U,BTFw-/&ZeVnLIqe-", "Lists.rust", "..", "&AGE-",
    ]), &["&", "-", "&AAAA-", "&2D0-", "/", "..", "\\", "\"", "%", "*", "&U,"])) {
        let _ = name::from_utf7(&bytes);
        for delimiter in [Some(b'/'), Some(b'.'), Some(b'\\'), None] {
            if let Some(folder) = name::decode(&bytes, delimiter, false) {
                let back = name::encode(&folder, delimiter, false).map(|name| name.as_bytes().to_vec());
                prop_assert!(back.as_ref() == Some(&bytes) || bytes.eq_ignore_ascii_case(b"INBOX") || bytes.to_ascii_uppercase().starts_with(b"INBOX"), "{folder:?}");
            }
        }
        let _ = UidSet::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn mutations_of_uid_sets(bytes in mutated(seeds(&["1:4294967295", "1,3:5,9", "2:4,7,9,12:*", "41,43:116,118"]), &[",", ":", "*", "4294967295", "0"])) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(set) = UidSet::parse(&text) {
            prop_assert!(set.is_empty() || UidSet::parse(&set.to_string()).as_ref() == Some(&set));
        }
    }

    #[test]
    fn mutations_of_messages(bytes in mutated(seeds(&[
        "Subject: a\r\nMessage-ID: <1@x>\r\n\r\nbody\r\n", "message-id\n : <2@y>\nX-TUID: abc\n def\n\n", "\n\nno header", "A: b", "\r\r\n\r\n",
    ]), &["Message-ID:", "X-TUID: ", "\r\n", "\n", "\r", "\n\n", ": ", " "]), piece in 1usize..9) {
        let (mut whole, mut parts) = (ContentHasher::new(), ContentHasher::new());
        whole.update(&bytes);
        bytes.chunks(piece).for_each(|chunk| parts.update(chunk));
        let (whole, parts) = (whole.finish(), parts.finish());
        prop_assert_eq!((whole.digest, whole.header, whole.message_id, whole.size), (parts.digest, parts.header, parts.message_id, parts.size));
    }

    #[test]
    fn mutations_of_profiles(bytes in mutated(seeds(&[
        "[defaults]\nmaildir = \"~/Mail/{account}\"\n[accounts.work]\nprotocol = \"imap\"\nhost = \"imap.example.org\"\nuser = \"me\"\npassword_command = [\"pass\", \"x\"]\nfolders = [\"INBOX\", \"!Junk\"]\nmax_delete = \"50%\"\n",
        "[accounts.pop]\nprotocol = \"pop3\"\nprovider = \"gmail\"\nuser = \"a@b\"\ndelete_after = \"30d\"\ntimeout = \"5s\"\nmax_size = \"25M\"\n",
        "[accounts.o]\nprovider = \"outlook\"\nuser = \"x\"\n[accounts.o.oauth2]\nclient_id = \"i\"\ntoken_url = \"https://x/y\"\n",
    ]), &["\n", "\"", "'", "\"\"\"", "[", "]]", "{", "}", "=", "accounts.", "\\u0000", "${HOME}", "{user}", "99999999999999999999", "0x", "#"])) {
        let text = String::from_utf8_lossy(&bytes);
        let env = |name: &str| (name == "HOME").then(|| "/home/anna".to_owned());
        let world = World { env: &env, base: Path::new("/etc"), private: true };
        if let Err(complaints) = config::parse(&text, Path::new("c"), &world) {
            prop_assert!(!complaints.is_empty());
        }
    }

    #[test]
    fn mutations_of_what_other_tools_have(bytes in mutated(seeds(&[
        data!("mbsync/mbsyncrc"), data!("mbsync/legacy-mbsyncrc"), data!("offlineimap/offlineimaprc"), data!("getmail/pop3rc"),
        data!("getmail/imaprc"), data!("fetchmail/fetchmailrc"), data!("mpop/mpoprc"),
    ]), TOOL_WORDS)) {
        let text = String::from_utf8_lossy(&bytes);
        let all: [Imported; 5] =
            [mbsync::parse(&text), getmail::parse(&text, "x"), fetchmail::parse(&text), mpop::parse(&text), offlineimap::parse(&text)];
        for imported in &all {
            let rendered = render(imported, false);
            prop_assert!(rendered.parse::<toml::Table>().is_ok(), "{}", rendered);
        }
    }

    #[test]
    fn mutations_of_what_other_tools_remember(bytes in mutated(
        [data!("mbsync/INBOX.mbsyncstate"), data!("mbsync/placeholder.mbsyncstate"), data!("mpop/uidls"), data!("fetchmail/fetchids"),
         data!("getmail/oldmail-pop.example.org-110-anna"), data!("getmail/oldmail-imap.example.org-143-anna-Lists.rust")]
            .iter().flat_map(|text| pieces(text.as_bytes())).collect(), TOOL_WORDS)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = (state::mbsync::parse(&text), state::offlineimap::parse_status(&text), state::mbsync::uid_validity(&text));
        let _ = (state::uidl::getmail(&bytes), state::uidl::getmail_imap(&bytes), state::uidl::fetchmail(&bytes), state::uidl::mpop(&bytes));
    }

    #[test]
    fn mutations_of_autoconfig(bytes in mutated(seeds(&[
        "<?xml version=\"1.0\"?><clientConfig version=\"1.1\"><emailProvider id=\"x\"><domain>example.org</domain><incomingServer type=\"imap\"><hostname>imap.%EMAILDOMAIN%</hostname><port>993</port><socketType>SSL</socketType><username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication></incomingServer></emailProvider></clientConfig>",
        "<clientConfig><emailProvider><!-- x --><incomingServer type=\"pop3\"><hostname><![CDATA[a]]></hostname><port>995</port></incomingServer></emailProvider></clientConfig>",
    ]), &["<", ">", "</", "/>", "&lt;", "&#0;", "&#x10FFFF;", "<!--", "-->", "<![CDATA[", "]]>", "<!DOCTYPE x [<!ENTITY a \"&b;&b;\">]>", "&a;", "%EMAILLOCALPART%", "\""])) {
        let offers = autoconfig::parse(&String::from_utf8_lossy(&bytes), "anna", "example.org");
        prop_assert!(offers.len() <= bytes.len());
    }

    #[test]
    fn mutations_of_challenges(bytes in mutated(seeds(&[
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "e=other-error",
        "<1896.697170952@postoffice.reston.mci.net>", "{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"x\"}", "User Name\0", "Password\0",
    ]), &["r=", ",s=", ",i=", "v=", "m=", ",", "=", "\0", "{", "}", "\"", "i=999999999"]), which in 0usize..8) {
        let mechanism = [Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5, Mechanism::ScramSha1, Mechanism::ScramSha256,
            Mechanism::XOAuth2, Mechanism::OAuthBearer, Mechanism::External][which];
        let credentials = Credentials { user: "anna".into(), secret: Some(Secret::new(b"pencil".to_vec())), oauth: false };
        let peer = Peer { binding: None, host: "h", port: 1 };
        if let Ok(mut exchange) = Exchange::new(mechanism, &credentials, &peer) {
            let _ = exchange.initial();
            // A mechanism that went on for ever would be asked for ever.
            let rounds = (0..20).take_while(|_| exchange.step(&bytes).is_ok()).count();
            prop_assert!(rounds < 5, "{mechanism:?}: {rounds} answers");
            let _ = (exchange.done(Some(&bytes)).is_ok(), exchange.refusal().map(str::len));
        }
    }
}
