//! Reading messages: as files, as content, and as the server wants them.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;

use super::error::Error;
use super::handle::Folder;
use super::layout::FolderDir;
use super::name::Place;
use super::stamp::nanoseconds;
use crate::mail::lines::ToCrlf;
use crate::mail::{Content, ContentHasher, Timestamp};

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// An open message.
#[derive(Debug)]
pub struct Message {
    /// The file, at its beginning.
    pub file: File,
    /// Its length on disk in bytes, never 0.
    pub size: u64,
    /// When the message was received: the file's time.
    pub mtime: Timestamp,
    /// The same in nanoseconds since 1970, of the last write: a young file may still be written to.
    pub mtime_ns: i64,
    /// When the file, its name or anything else about it was last changed, likewise.
    pub ctime_ns: i64,
    /// Its inode.
    pub inode: u64,
}

/// Opens a message.
///
/// # Errors
/// [`Error::Gone`] when no file has that name, [`Error::Unreadable`] when it is a link, no regular file or not for us,
/// [`Error::Empty`] when it has no content.
pub fn open(folder: &FolderDir, place: &Place) -> Result<Message, Error> {
    let file = Folder::open(folder)?.open_message(place)?;
    let meta = file.metadata().map_err(|e| Error::unreadable(folder.path_of(place), e))?;
    if meta.size() == 0 {
        return Err(Error::Empty { path: folder.path_of(place) });
    }
    Ok(Message {
        size: meta.size(),
        mtime: Timestamp(meta.mtime()),
        mtime_ns: nanoseconds(meta.mtime(), meta.mtime_nsec()),
        ctime_ns: nanoseconds(meta.ctime(), meta.ctime_nsec()),
        inode: meta.ino(),
        file,
    })
}

impl Message {
    /// Whether the file is still as it was opened: read a message, then ask, then trust what was read.
    ///
    /// # Errors
    /// When the system does not answer.
    pub fn is_unchanged(&self) -> io::Result<bool> {
        let meta = self.file.metadata()?;
        Ok(meta.size() == self.size && nanoseconds(meta.mtime(), meta.mtime_nsec()) == self.mtime_ns)
    }
}

/// The content of a message.
///
/// # Errors
/// As [`open`], [`Error::Changed`] when it was written to meanwhile.
pub fn content(folder: &FolderDir, place: &Place) -> Result<Content, Error> {
    whole(folder, place, |file| content_of(file))
}

/// The content of a message, by a hasher that has seen nothing.
///
/// # Errors
/// As [`content`].
pub fn content_by(folder: &FolderDir, place: &Place, hasher: ContentHasher) -> Result<Content, Error> {
    whole(folder, place, |file| hashed(file, hasher))
}

/// The length that a message has on the wire: see [`wire_size`].
///
/// # Errors
/// As [`content`].
pub fn wire_length(folder: &FolderDir, place: &Place) -> Result<u64, Error> {
    whole(folder, place, |file| wire_size(file))
}

/// Reads a message to its end; what was read counts only if nobody wrote to it meanwhile.
fn whole<T>(folder: &FolderDir, place: &Place, work: impl FnOnce(&File) -> io::Result<T>) -> Result<T, Error> {
    let message = open(folder, place)?;
    let failed = |e| Error::unreadable(folder.path_of(place), e);
    let value = work(&message.file).map_err(failed)?;
    if !message.is_unchanged().map_err(failed)? {
        return Err(Error::Changed { path: folder.path_of(place) });
    }
    Ok(value)
}

/// The content of what `reader` still has to give.
///
/// # Errors
/// Those of the reader.
pub fn content_of(reader: impl Read) -> io::Result<Content> {
    hashed(reader, ContentHasher::new())
}

fn hashed(mut reader: impl Read, mut hasher: ContentHasher) -> io::Result<Content> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let got = read_some(&mut reader, &mut chunk)?;
        if got.is_empty() {
            return Ok(hasher.finish());
        }
        hasher.update(got);
    }
}

/// The content of a message's header section alone: `header` and `message_id` are those of the message, `digest` and
/// `size` are of what was read, up to and with the first empty line.
///
/// # Errors
/// As [`open`].
pub fn header(folder: &FolderDir, place: &Place) -> Result<Content, Error> {
    let message = open(folder, place)?;
    header_of(&message.file).map_err(|e| Error::unreadable(folder.path_of(place), e))
}

fn header_of(mut reader: impl Read) -> io::Result<Content> {
    let mut hasher = ContentHasher::new();
    let mut chunk = [0; 4096];
    let mut line = Line::Start;
    loop {
        let got = read_some(&mut reader, &mut chunk)?;
        if got.is_empty() {
            return Ok(hasher.finish());
        }
        for (i, &c) in got.iter().enumerate() {
            line = match (line, c) {
                (Line::Start | Line::Cr, b'\n') => {
                    hasher.update(got.get(..=i).unwrap_or(got));
                    return Ok(hasher.finish());
                }
                (_, b'\n') => Line::Start,
                (Line::Start, b'\r') => Line::Cr,
                _ => Line::Inside,
            };
        }
        hasher.update(got);
    }
}

#[derive(Clone, Copy)]
enum Line {
    Start,
    /// A `CR` at the line's beginning.
    Cr,
    Inside,
}

fn read_some<'a>(reader: &mut impl Read, chunk: &'a mut [u8]) -> io::Result<&'a [u8]> {
    loop {
        match reader.read(chunk) {
            Ok(n) => return Ok(chunk.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The length that a message has on the wire, with `CR LF` line ends; reads it through.
///
/// # Errors
/// Those of the reader.
pub fn wire_size(mut reader: impl Read) -> io::Result<u64> {
    let mut lines = ToCrlf::default();
    let mut chunk = vec![0; CHUNK];
    let mut size = 0;
    loop {
        let got = read_some(&mut reader, &mut chunk)?;
        if got.is_empty() {
            return Ok(size);
        }
        size += lines.measure(got);
    }
}

/// A message as it goes over the wire: every line ends with `CR LF`.
pub fn wire_reader<R: Read>(inner: R) -> WireReader<R> {
    WireReader { inner, lines: ToCrlf::default(), chunk: vec![0; CHUNK], ready: Vec::new(), at: 0 }
}

/// See [`wire_reader`].
#[derive(Debug)]
pub struct WireReader<R> {
    inner: R,
    lines: ToCrlf,
    chunk: Vec<u8>,
    ready: Vec<u8>,
    at: usize,
}

impl<R: Read> Read for WireReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.ready.len() {
            self.ready.clear();
            self.at = 0;
            let got = read_some(&mut self.inner, &mut self.chunk)?;
            self.lines.push(got, &mut self.ready);
        }
        let rest = self.ready.get(self.at..).unwrap_or_default();
        let n = rest.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives its bytes in pieces of at most `step`.
    struct Slowly<'a>(&'a [u8], usize);

    impl Read for Slowly<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(out.len());
            out[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn messy() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(
            prop_oneof![
                Just(b"\r".to_vec()),
                Just(b"\n".to_vec()),
                Just(b"A: x".to_vec()),
                Just(b"Message-ID: <1>".to_vec())
            ],
            0..20,
        )
        .prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn the_wire_form_has_the_told_size_and_the_same_content(bytes in messy(), step in 1usize..9) {
            let mut wire = Vec::new();
            wire_reader(Slowly(&bytes, step)).read_to_end(&mut wire).unwrap();
            prop_assert_eq!(wire_size(Slowly(&bytes, step)).unwrap(), wire.len() as u64);
            prop_assert_eq!(content_of(&wire[..]).unwrap(), content_of(Slowly(&bytes, step)).unwrap());
        }

        #[test]
        fn the_header_alone_is_that_of_the_message(bytes in messy(), step in 1usize..9) {
            let (alone, whole) = (header_of(Slowly(&bytes, step)).unwrap(), content_of(&bytes[..]).unwrap());
            prop_assert_eq!((alone.header, alone.message_id), (whole.header, whole.message_id));
        }
    }
}
