//! Keyword letters of a folder, in the format of Dovecot's `dovecot-keywords`: lines `0 NAME` to `25 NAME` for `a` to `z`.

use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::error::Error;
use super::handle::{self, FILE_MODE};
use super::layout::FolderDir;
use super::name::{FileName, Letters};
use super::stamp::FileStamp;
use crate::mail::{Flags, Keyword, System};

/// The file's name.
pub(super) const FILE: &str = "dovecot-keywords";
pub(super) const TEMPORARY: &str = "dovecot-keywords.mailferry";
/// The files that we put beside `cur`.
pub(super) const FILES: &[&str] = &[FILE, TEMPORARY];
/// How many letters there are.
pub const LETTERS: u8 = 26;
/// Larger files are no keyword lists.
const SIZE_LIMIT: u64 = 1 << 20;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Slot {
    #[default]
    Free,
    Named(Keyword),
    /// A name that is no IMAP keyword: kept as it is, its letter is taken.
    Opaque(Box<[u8]>),
}

/// The keyword letters of one folder.
#[derive(Clone, Debug, Default)]
pub struct Keywords {
    slots: [Slot; LETTERS as usize],
    /// Lines that mean nothing to us, kept.
    other: Vec<u8>,
    /// Letters that files carry although no line names them: never given out.
    reserved: u32,
    stamp: Option<FileStamp>,
    dirty: bool,
}

impl Keywords {
    /// Reads the folder's list; a folder without one has no keywords.
    ///
    /// # Errors
    /// When the file is a link, not a regular file, absurdly long or unreadable.
    pub fn load(folder: &FolderDir) -> Result<Self, Error> {
        let path = folder.path.join(FILE);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match handle::openat(folder.open()?, FILE, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(Self::default()),
            Err(Errno::LOOP | Errno::MLINK) => return Err(Error::Foreign { path, wanted: "regular file" }),
            Err(e) => return Err(Error::io("open", path, e)),
        };
        let meta = file.metadata().map_err(|e| Error::io("read", &path, e))?;
        if !meta.is_file() || meta.size() > SIZE_LIMIT {
            return Err(Error::Foreign { path, wanted: "regular file" });
        }
        let mut bytes = Vec::new();
        file.take(SIZE_LIMIT).read_to_end(&mut bytes).map_err(|e| Error::io("read", &path, e))?;
        Ok(Self { stamp: Some(FileStamp::of(&meta)), ..Self::parse(&bytes) })
    }

    /// Reads a list, tolerantly: of two lines for one letter the first counts, what is no such line is kept aside.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let mut keywords = Self::default();
        for line in bytes.split(|&c| c == b'\n').filter(|line| !line.is_empty()) {
            let parsed = line.iter().position(|&c| c == b' ').and_then(|at| {
                let (digits, name) = line.split_at_checked(at)?;
                let name = name.get(1..)?;
                let name = name.get(..name.iter().rposition(|&c| c != b'\r').map_or(0, |last| last + 1))?;
                if digits.is_empty() || digits.len() > 2 || !digits.iter().all(u8::is_ascii_digit) || name.is_empty() {
                    return None;
                }
                Some((std::str::from_utf8(digits).ok()?.parse::<usize>().ok()?, name))
            });
            match parsed.and_then(|(index, name)| Some((keywords.slots.get_mut(index)?, name))) {
                Some((slot @ Slot::Free, name)) => {
                    let keyword = std::str::from_utf8(name).ok().and_then(Keyword::new);
                    *slot = keyword.map_or_else(|| Slot::Opaque(name.into()), Slot::Named);
                }
                _ => {
                    keywords.other.extend_from_slice(line);
                    keywords.other.push(b'\n');
                }
            }
        }
        keywords
    }

    /// The list as a file has it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (index, slot) in self.slots.iter().enumerate() {
            let name = match slot {
                Slot::Free => continue,
                Slot::Named(keyword) => keyword.as_str().as_bytes(),
                Slot::Opaque(bytes) => bytes,
            };
            out.extend_from_slice(format!("{index} ").as_bytes());
            out.extend_from_slice(name);
            out.push(b'\n');
        }
        out.extend_from_slice(&self.other);
        out
    }

    /// The figures of the file that was read; `None` if there was none.
    #[must_use]
    pub fn stamp(&self) -> Option<FileStamp> {
        self.stamp
    }

    /// Whether there is something to save.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Tells which letters the folder's files carry (bits as in [`Letters::keywords`]), so that one whose line was lost
    /// is not given to another keyword.
    pub fn reserve(&mut self, letters: u32) {
        self.reserved |= letters;
    }

    fn named(&self) -> impl Iterator<Item = (u8, &Keyword)> {
        (b'a'..=b'z').zip(&self.slots).filter_map(|(letter, slot)| match slot {
            Slot::Named(keyword) => Some((letter, keyword)),
            Slot::Free | Slot::Opaque(_) => None,
        })
    }

    /// The letter of a keyword.
    #[must_use]
    pub fn letter(&self, keyword: &Keyword) -> Option<u8> {
        self.named().find(|(_, k)| *k == keyword).map(|(letter, _)| letter)
    }

    /// The keyword of a letter.
    #[must_use]
    pub fn name(&self, letter: u8) -> Option<&Keyword> {
        self.named().find(|(l, _)| *l == letter).map(|(_, keyword)| keyword)
    }

    /// The letter of a keyword, a new one if it has none; `None` when all 26 are taken.
    pub fn assign(&mut self, keyword: &Keyword) -> Option<u8> {
        if let Some(letter) = self.letter(keyword) {
            return Some(letter);
        }
        let reserved = self.reserved;
        let (letter, slot) = (b'a'..=b'z')
            .zip(&mut self.slots)
            .find(|(letter, slot)| **slot == Slot::Free && reserved & (1 << (letter - b'a')) == 0)?;
        *slot = Slot::Named(keyword.clone());
        self.dirty = true;
        Some(letter)
    }

    /// Whether the keyword has a letter, or could get one.
    #[must_use]
    pub fn can_hold(&self, keyword: &Keyword) -> bool {
        self.letter(keyword).is_some() || self.clone().assign(keyword).is_some()
    }

    /// The flags that letters stand for. Letters without a name are left out: see [`Keywords::unnamed`].
    #[must_use]
    pub fn flags_of_letters(&self, letters: &Letters) -> Flags {
        let mut flags = Flags::of(letters.system);
        for (letter, keyword) in self.named() {
            if letters.keywords & (1 << (letter - b'a')) != 0 {
                flags.insert_imap(keyword.as_str());
            }
        }
        flags
    }

    /// The flags in a file's name; `None` where nothing is said about them (no `:2,`).
    #[must_use]
    pub fn flags_of(&self, name: &FileName) -> Option<Flags> {
        name.letters().map(|letters| self.flags_of_letters(&letters))
    }

    /// Those letters of `letters` that stand for no known keyword: what is not known is no removal.
    #[must_use]
    pub fn unnamed(&self, letters: &Letters) -> u32 {
        self.named().fold(letters.keywords, |bits, (letter, _)| bits & !(1 << (letter - b'a')))
    }

    /// The letters for `flags`, and the keywords that have none (give them one with [`Keywords::assign`] first).
    ///
    /// `$Forwarded` gets `P`, and its letter too where Dovecot, which does not read `P`, has given it one.
    #[must_use]
    pub fn letters_of(&self, flags: &Flags) -> (Letters, BTreeSet<Keyword>) {
        let mut letters = Letters::of(flags.system);
        let mut left = flags.keywords.clone();
        for (letter, keyword) in self.named() {
            let is_system = System::TABLE
                .iter()
                .any(|(bit, _, name)| flags.system.contains(*bit) && name.eq_ignore_ascii_case(keyword.as_str()));
            if flags.keywords.contains(keyword) || is_system {
                letters.keywords |= 1 << (letter - b'a');
                left.remove(keyword);
            }
        }
        (letters, left)
    }

    /// As [`Keywords::letters_of`] for a message that has `old` letters: unnamed letters and what else stands there stay.
    #[must_use]
    pub fn letters_over(&self, old: &Letters, flags: &Flags) -> (Letters, BTreeSet<Keyword>) {
        let (mut letters, left) = self.letters_of(flags);
        letters.keywords |= self.unnamed(old);
        letters.rest = old.rest.clone();
        (letters, left)
    }

    /// Writes the list, durably, if it changed. To be called before any file gets a new letter.
    ///
    /// # Errors
    /// [`Error::Changed`] when another program wrote it since it was read: load it and assign again.
    pub fn save(&mut self, folder: &FolderDir) -> Result<(), Error> {
        if !self.dirty {
            return Ok(());
        }
        let path = folder.path.join(FILE);
        let dir = folder.open()?;
        let (now, mode) = match std::fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_file() => {
                (Some(FileStamp::of(&meta)), Some(Permissions::from_mode(meta.mode() & 0o666)))
            }
            Ok(_) => return Err(Error::Foreign { path, wanted: "regular file" }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => (None, None),
            Err(e) => return Err(Error::io("read", path, e)),
        };
        if now != self.stamp {
            return Err(Error::Changed { path });
        }
        let failed = |e: std::io::Error| Error::io("write", folder.path.join(TEMPORARY), e);
        match rustix::fs::unlinkat(&dir, TEMPORARY, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(e) => return Err(failed(e.into())),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(handle::openat(&dir, TEMPORARY, flags, FILE_MODE).map_err(|e| failed(e.into()))?);
        let written = file.write_all(&self.to_bytes()).and_then(|()| {
            if let Some(mode) = mode {
                // A list that others could read stays readable for them.
                file.set_permissions(mode)?;
            }
            file.sync_all()?;
            let meta = file.metadata()?;
            rustix::fs::renameat(&dir, TEMPORARY, &dir, FILE)?;
            Ok(meta)
        });
        let meta = written.map_err(|e| {
            let _ = rustix::fs::unlinkat(&dir, TEMPORARY, AtFlags::empty());
            failed(e)
        })?;
        handle::sync_dir(&dir, &folder.path)?;
        self.stamp = Some(FileStamp::of(&meta));
        self.dirty = false;
        crate::checkpoint::hit("keywords.saved");
        Ok(())
    }
}
