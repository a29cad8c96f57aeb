//! `import`: the profile that comes out works, and nothing is fetched twice.

use std::fs;

use crate::support::message::flags;
use crate::support::rig::Rig;

fn rig() -> Rig {
    let rig = Rig::pop3("import");
    for i in 0..3 {
        let body = format!("Subject: {i}\n\nbody {i}\n");
        rig.mailbox().append("INBOX", body.as_bytes(), &flags(""), 1_600_000_000);
    }
    rig
}

fn uidls(rig: &Rig) -> Vec<String> {
    let plan = rig.ferry.json(&["fetch", "-n"]);
    plan.events_of("planned").iter().map(|e| e["uidl"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_mpop_fetched_is_not_fetched_again() {
    let rig = rig();
    let home = rig.ferry.home().to_owned();
    let known = uidls(&rig);
    let port = rig.proxy.port();
    fs::write(
        home.join("rc"),
        format!("account a\nhost 127.0.0.1\nport {port}\nuser {}\npassword x\ntls off\nuidls_file ~/uidls\ndelivery maildir ~/Mail/work\n", rig.user),
    )
    .unwrap();
    fs::write(home.join("uidls"), format!(" 2 127.0.0.1 {}\n{}\n{}\n", rig.user, known[0], known[2])).unwrap();
    let dry = rig.ferry.run(&["import", "mpop", "rc", "--state", "-n"]);
    dry.assert_code(0);
    assert!(dry.stdout.contains("would remember 2") && !home.join("Mail").exists(), "{}", dry.stdout);
    for _ in 0..2 {
        rig.ferry.run(&["import", "mpop", "rc", "--state"]).assert_code(0);
    }
    assert_eq!(uidls(&rig), [known[1].clone()]);
}

#[test]
fn what_getmail_fetched_is_not_fetched_again() {
    let rig = rig();
    let home = rig.ferry.home().to_owned();
    let known = uidls(&rig);
    let port = rig.proxy.port();
    fs::create_dir(home.join("gm")).unwrap();
    fs::write(
        home.join("gm/getmailrc"),
        format!("[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {port}\nusername = {}\n[destination]\ntype = Maildir\npath = ~/Mail/work/\n", rig.user),
    )
    .unwrap();
    let lines: String = known.iter().skip(1).map(|id| format!("{}\0001700000000\n", id.replace('/', "-"))).collect();
    fs::write(home.join(format!("gm/oldmail-127.0.0.1-{port}-{}", rig.user)), lines).unwrap();
    rig.ferry.run(&["import", "getmail", "gm/getmailrc", "--state"]).assert_code(0);
    assert_eq!(uidls(&rig), [known[0].clone()]);
}

#[test]
fn a_profile_that_was_imported_is_one() {
    let rig = Rig::usual("imported");
    let home = rig.ferry.home().to_owned();
    rig.mailbox().append("INBOX", b"Subject: x\n\ny\n", &flags(""), 1_600_000_000);
    let rc = format!(
        "[general]\naccounts = a\n[Account a]\nlocalrepository = l\nremoterepository = r\n[Repository l]\ntype = Maildir\n\
         localfolders = {}\n[Repository r]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = {}\nssl = no\nstarttls = no\n\
         remoteuser = {}\nremotepass = {}\n",
        home.join("off").display(),
        rig.proxy.port(),
        rig.user,
        crate::support::dovecot::PASSWORD
    );
    fs::write(home.join("rc"), rc).unwrap();
    assert!(!rig.ferry.run(&["import", "offlineimap", "rc"]).stdout.contains("password ="));
    let outcome = rig.ferry.run(&["import", "offlineimap", "rc", "--with-passwords"]);
    outcome.assert_code(0);
    rig.ferry.write_raw_config(&outcome.stdout);
    assert_eq!(rig.ferry.sync().figure("downloaded"), 1);
}

#[test]
fn offlineimaps_directories_get_our_names() {
    let rig = Rig::usual("names");
    let home = rig.ferry.home().to_owned();
    rig.mailbox().create("Lists/Bücher");
    for dir in ["INBOX", "Lists.B&APw-cher", "other"] {
        for sub in ["cur", "new", "tmp"] {
            fs::create_dir_all(home.join("Mail/work").join(dir).join(sub)).unwrap();
        }
    }
    let rc = format!(
        "[general]\naccounts = work\n[Account work]\nlocalrepository = l\nremoterepository = r\n[Repository l]\ntype = Maildir\n\
         localfolders = {}\n[Repository r]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteuser = {}\n",
        home.join("Mail/work").display(),
        rig.user
    );
    fs::write(home.join("rc"), rc).unwrap();
    let dry = rig.ferry.run(&["import", "offlineimap", "rc", "--state", "-n"]);
    dry.assert_code(0);
    assert!(dry.stdout.contains("\"Lists.B&APw-cher\" becomes \"Lists/Bücher\""), "{dry:?}");
    assert!(home.join("Mail/work/Lists.B&APw-cher").exists());
    rig.ferry.run(&["import", "offlineimap", "rc", "--state"]).assert_code(0);
    assert!(home.join("Mail/work/Lists/Bücher/cur").is_dir() && home.join("Mail/work/other/cur").is_dir());
}
