//! The watch: with another program at work.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;

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
