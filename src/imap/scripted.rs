//! For tests: a server that plays a script at the other end of a socket.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::connection::Connection;
use super::login::establish;
use super::{Error, Session};
use crate::account::{Account, AuthMechanism, Endpoint, Login, Protocol, TlsMode};
use crate::auth::{Credentials, Secret};
use crate::stop::Stop;
use crate::transport::{Stream, Traffic};

/// How long either end waits.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn account(tls: TlsMode, mechanism: AuthMechanism) -> Account {
    let endpoint = Endpoint { timeout: PATIENCE, ..Endpoint::new("mail.example.org", 143, tls) };
    Account::new("test", Protocol::Imap, endpoint, Login { mechanism, ..Login::new("me") }, "/nonexistent".into())
}

/// Plays a server: says `greeting`, then waits for each step's bytes and answers them. What came instead is the error.
fn play(mut socket: UnixStream, greeting: String, steps: Vec<(String, String)>) -> JoinHandle<Result<(), String>> {
    std::thread::spawn(move || {
        socket.write_all(greeting.as_bytes()).map_err(|e| e.to_string())?;
        for (expected, answer) in steps {
            let mut got = vec![0; expected.len()];
            let mut length = 0;
            while length < got.len() {
                match socket.read(&mut got[length..]) {
                    Ok(n) if n > 0 => length += n,
                    other => {
                        let got = String::from_utf8_lossy(&got[..length]).into_owned();
                        return Err(format!("wanted {expected:?}, got {got:?} and {other:?}"));
                    }
                }
            }
            if got != expected.as_bytes() {
                return Err(format!("wanted {expected:?}, got {:?}", String::from_utf8_lossy(&got)));
            }
            socket.write_all(answer.as_bytes()).map_err(|e| e.to_string())?;
        }
        Ok(())
    })
}

fn connect(greeting: &str, steps: &[(&str, &str)]) -> (Connection, JoinHandle<Result<(), String>>) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let steps = steps.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let server = play(theirs, greeting.to_owned(), steps);
    let stop = Stop::new().expect("a pipe");
    let stream = Stream::from_socket(OwnedFd::from(ours), PATIENCE, &stop, Arc::new(Traffic::default()));
    (Connection::new(stream.expect("a stream"), PATIENCE), server)
}

pub fn log_in(
    greeting: &str,
    steps: &[(&str, &str)],
    account: &Account,
) -> (Result<Session, Error>, Result<(), String>) {
    let (mut connection, server) = connect(greeting, steps);
    let credentials = Credentials {
        user: "me".to_owned(),
        secret: Some(Secret::new(b"secret".to_vec())),
        oauth: account.login.mechanism == AuthMechanism::XOAuth2,
    };
    let result = establish(&mut connection, account, &credentials).map(|()| Session::over(connection));
    if result.is_ok() {
        return (result, Ok(()));
    }
    (result, server.join().expect("no panic"))
}

/// A session whose server offers `offered`, without ENABLE unless that is in it, and its script.
pub fn session(offered: &str, steps: &[(&str, &str)]) -> (Session, JoinHandle<Result<(), String>>) {
    let login = format!("F1 OK [CAPABILITY {offered}] in\r\n");
    let mut all = vec![("F1 LOGIN \"me\" \"secret\"\r\n", login.as_str())];
    all.extend_from_slice(steps);
    let (mut connection, server) = connect("* OK [CAPABILITY IMAP4rev1] hello\r\n", &all);
    let credentials =
        Credentials { user: "me".to_owned(), secret: Some(Secret::new(b"secret".to_vec())), oauth: false };
    establish(&mut connection, &account(TlsMode::None, AuthMechanism::Auto), &credentials).expect("a login");
    (Session::over(connection), server)
}

/// The script was played to its end.
pub fn ended(server: JoinHandle<Result<(), String>>) {
    assert_eq!(server.join().expect("no panic"), Ok(()));
}
