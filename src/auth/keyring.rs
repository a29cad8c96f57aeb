//! The desktop's keyring: the Secret Service of GNOME Keyring or KWallet, on the session bus.

use std::time::Duration;

use super::Secret;

/// What the keyring could not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no keyring to ask: no session bus, or no daemon on it.
    Away(String),
    /// It has no such entry.
    NoEntry,
    /// It did not answer in time: a question to the person waits for an answer, perhaps.
    Silent,
    /// It refused, in its own words.
    Refused(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(why) => write!(f, "finds no keyring: {why}"),
            Self::NoEntry => f.write_str("finds no such entry in the keyring"),
            Self::Silent => f.write_str("got no answer from the keyring: is it locked?"),
            Self::Refused(why) => write!(f, "was refused by the keyring: {why}"),
        }
    }
}

/// Whether this program can talk to a keyring at all.
pub const BUILT_IN: bool = cfg!(feature = "keyring");

#[cfg(not(feature = "keyring"))]
fn missing() -> Failure {
    Failure::Away("this mailferry was built without (cargo feature `keyring`)".to_owned())
}

/// The password of `user` for `service`.
///
/// # Errors
/// [`Failure`].
#[cfg(not(feature = "keyring"))]
pub fn get(_service: &str, _user: &str, _timeout: Duration) -> Result<Secret, Failure> {
    Err(missing())
}

/// Stores the password of `user` for `service`, in place of one that is there.
///
/// # Errors
/// [`Failure`].
#[cfg(not(feature = "keyring"))]
pub fn set(_service: &str, _user: &str, _secret: &Secret, _timeout: Duration) -> Result<(), Failure> {
    Err(missing())
}

#[cfg(feature = "keyring")]
pub use service::{get, set};

#[cfg(feature = "keyring")]
mod service {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use dbus_secret_service_keyring_store::Store;
    use keyring_core::api::CredentialStoreApi;
    use keyring_core::{Entry, Error};

    use super::{Duration, Failure, Secret};
    use crate::mail::text::clean;

    /// The password of `user` for `service`.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn get(service: &str, user: &str, timeout: Duration) -> Result<Secret, Failure> {
        asked(service, user, timeout, |entry| entry.get_secret().map(Secret::new))
    }

    /// Stores the password of `user` for `service`, in place of one that is there.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn set(service: &str, user: &str, secret: &Secret, timeout: Duration) -> Result<(), Failure> {
        let secret = secret.clone();
        asked(service, user, timeout, move |entry| entry.set_secret(secret.expose()))
    }

    /// What `question` gives. The daemon may hang on a question that nobody sees: the thread is left behind then.
    fn asked<T: Send + 'static>(
        service: &str,
        user: &str,
        timeout: Duration,
        question: impl FnOnce(Entry) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Failure> {
        let (tell, answer) = mpsc::channel();
        let (service, user) = (service.to_owned(), user.to_owned());
        thread::spawn(move || {
            let found = store().and_then(|store| {
                let entry = store.build(&service, &user, None).map_err(refused)?;
                question(entry).map_err(refused)
            });
            let _ = tell.send(found);
        });
        answer.recv_timeout(timeout).unwrap_or(Err(Failure::Silent))
    }

    fn store() -> Result<Arc<Store>, Failure> {
        // The library would look for a display and start a bus of its own, on which no keyring is.
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let socket = set("XDG_RUNTIME_DIR").map(|folder| std::path::Path::new(&folder).join("bus"));
        if set("DBUS_SESSION_BUS_ADDRESS").is_none() && !socket.is_some_and(|socket| socket.exists()) {
            return Err(Failure::Away("there is no session bus (DBUS_SESSION_BUS_ADDRESS is not set)".to_owned()));
        }
        Store::new().map_err(|error| Failure::Away(clean(&error.to_string())))
    }

    fn refused(error: Error) -> Failure {
        let words = clean(&error.to_string());
        if matches!(error, Error::NoEntry) {
            Failure::NoEntry
        } else if matches!(error, Error::NoStorageAccess(_)) {
            Failure::Away(words)
        } else {
            Failure::Refused(words)
        }
    }
}
