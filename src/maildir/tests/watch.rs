//! Second looks and the watch: with another program at work.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;
use crate::stop::Stop;

const TRUSTED: FileSystem = FileSystem { network: false, syncfs: false, shortcuts_allowed: true };

fn look<'a>(w: &'a World, fs: &'a FileSystem, stop: &'a Stop, wait: Duration) -> Look<'a> {
    Look { state_dir: w.layout.root(), file_system: fs, until: Instant::now() + wait, stop }
}

fn missing() -> HashSet<Vec<u8>> {
    [b"u1".to_vec(), b"u2".to_vec()].into_iter().collect()
}

#[test]
fn a_folder_at_rest_tells_what_is_gone() {
    let w = world();
    let stop = Stop::new().unwrap();
    w.deliver(&w.inbox, "u1", "S", b"a\r\n");
    match confirm(&w.inbox, &missing(), &look(&w, &TRUSTED, &stop, Duration::from_secs(20))).unwrap() {
        Confirmation::Settled { gone, scan } => {
            assert_eq!(gone, HashSet::from([b"u2".to_vec()]));
            assert_eq!(scan.entries.len(), 1);
        }
        Confirmation::Unconfirmed(why) => panic!("{why:?}"),
    }
}

#[test]
fn a_folder_that_just_changed_tells_nothing() {
    let w = world();
    let stop = Stop::new().unwrap();
    w.deliver(&w.inbox, "u1", "S", b"a\r\n");
    let why = |fs: &FileSystem, wait| match confirm(&w.inbox, &missing(), &look(&w, fs, &stop, wait)).unwrap() {
        Confirmation::Unconfirmed(why) => why,
        Confirmation::Settled { .. } => panic!("settled"),
    };
    assert_eq!(why(&TRUSTED, Duration::from_millis(10)), Why::Busy);
    let network = FileSystem { network: true, syncfs: false, shortcuts_allowed: false };
    assert_eq!(why(&network, Duration::from_secs(20)), Why::Untrusted);
    stop.request();
    assert_eq!(why(&TRUSTED, Duration::from_secs(20)), Why::Stopped);
}

/// Waits until the watch tells what `wanted` asks for.
fn until(watch: &mut Watch, wanted: impl Fn(&notify::Changes) -> bool) {
    let mut all = notify::Changes::default();
    let end = Instant::now() + Duration::from_secs(20);
    while !wanted(&all) {
        assert!(Instant::now() < end, "{all:?}");
        let timeout = Timespec::try_from(Duration::from_secs(5)).unwrap();
        poll(&mut [PollFd::new(&watch.fd(), PollFlags::IN)], Some(&timeout)).unwrap();
        let now = watch.take();
        all.folders.extend(now.folders);
        all.structure |= now.structure;
        all.lost |= now.lost;
    }
}

#[test]
fn a_watch_tells_folders_and_new_folders() {
    let w = world();
    let mut watch = Watch::new(&w.layout, std::slice::from_ref(&w.inbox)).unwrap();
    std::fs::create_dir(w.layout.state_dir()).unwrap();
    std::fs::write(w.layout.state_dir().join("state.db"), "").unwrap();
    w.deliver(&w.inbox, "u1", "", b"a\r\n");
    until(&mut watch, |c| c.folders.contains(&w.inbox.path));
    std::fs::write(w.inbox.path.join("dovecot-keywords"), "0 a\n").unwrap();
    until(&mut watch, |c| c.folders.contains(&w.inbox.path));
    std::fs::create_dir(w.layout.root().join("A")).unwrap();
    until(&mut watch, |c| c.structure);
    let a = w.create("A");
    until(&mut watch, |c| c.structure);
    watch.add(&a).unwrap();
    w.deliver(&a, "u1", "", b"a\r\n");
    until(&mut watch, |c| c.folders.contains(&a.path));
}
