//! DNS as far as setup needs it: a question for MX or SRV records, and their answer (RFC 1035 §4, RFC 2782). PURE.

/// The kinds of records that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    /// Mail exchangers.
    Mx,
    /// Services.
    Srv,
}

impl RecordType {
    fn code(self) -> u16 {
        match self {
            Self::Mx => 15,
            Self::Srv => 33,
        }
    }
}

/// A record of an answer; names without the final dot, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A mail exchanger.
    Mx {
        /// The lowest comes first.
        preference: u16,
        /// Its name.
        host: String,
    },
    /// A service.
    Srv {
        /// The lowest comes first.
        priority: u16,
        /// Among equal priorities, the share of clients.
        weight: u16,
        /// Its port.
        port: u16,
        /// Its host; empty if the service is decidedly not offered (RFC 2782 "Target").
        host: String,
    },
}

/// A query for one name, recursion desired; `None` if the name cannot be one.
#[must_use]
pub fn query(id: u16, name: &str, kind: RecordType) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(64);
    for word in [id, 0x0100, 1, 0, 0, 0] {
        out.extend(word.to_be_bytes());
    }
    out.extend(wire_name(name)?);
    out.extend(kind.code().to_be_bytes());
    out.extend(1u16.to_be_bytes());
    Some(out)
}

fn wire_name(name: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(name.len() + 2);
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|l| (1..=63).contains(l))?;
        out.push(length);
        out.extend(label.bytes());
    }
    out.push(0);
    (out.len() <= 255).then_some(out)
}

/// The records in an answer to that query; `None` if it is no answer to it, or broken. No records: empty.
#[must_use]
pub fn answer(packet: &[u8], id: u16, name: &str, kind: RecordType) -> Option<Vec<Record>> {
    let flags = word(packet, 2)?;
    let response_code = flags & 0xf;
    if word(packet, 0)? != id || flags & 0x8000 == 0 || !matches!(response_code, 0 | 3) || word(packet, 4)? != 1 {
        return None;
    }
    let (asked, at) = read_name(packet, 12)?;
    if !asked.eq_ignore_ascii_case(name.trim_end_matches('.')) || word(packet, at)? != kind.code() {
        return None;
    }
    let mut at = at + 4;
    let mut records = Vec::new();
    for _ in 0..word(packet, 6)? {
        let (_, after) = read_name(packet, at)?;
        let (found, length) = (word(packet, after)?, usize::from(word(packet, after + 8)?));
        let data = after + 10;
        at = data + length;
        packet.get(data..at)?;
        if found == kind.code() {
            records.push(match kind {
                RecordType::Mx => Record::Mx { preference: word(packet, data)?, host: read_name(packet, data + 2)?.0 },
                RecordType::Srv => Record::Srv {
                    priority: word(packet, data)?,
                    weight: word(packet, data + 2)?,
                    port: word(packet, data + 4)?,
                    host: read_name(packet, data + 6)?.0,
                },
            });
        }
    }
    Some(records)
}

fn word(packet: &[u8], at: usize) -> Option<u16> {
    packet.get(at..at + 2).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes)
}

/// A name, and where what follows it begins. Compression pointers are followed at most 32 times.
fn read_name(packet: &[u8], start: usize) -> Option<(String, usize)> {
    let (mut at, mut after, mut jumps) = (start, None, 0);
    let mut labels: Vec<String> = Vec::new();
    loop {
        let length = *packet.get(at)?;
        match length {
            0 => break,
            1..=63 => {
                let label = packet.get(at + 1..at + 1 + usize::from(length))?;
                if !label.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) || labels.len() > 127 {
                    return None;
                }
                labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
                at += 1 + usize::from(length);
            }
            192..=255 => {
                jumps += 1;
                if jumps > 32 {
                    return None;
                }
                after = after.or(Some(at + 2));
                at = usize::from(word(packet, at)? & 0x3fff);
            }
            64..=191 => return None,
        }
    }
    Some((labels.join("."), after.unwrap_or(at + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reply(records: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut packet = query(7, "_imaps._tcp.example.org", RecordType::Srv).unwrap();
        packet[2] = 0x81;
        packet[3] = 0x80;
        packet[7] = u8::try_from(records.len()).unwrap();
        for (kind, data) in records {
            packet.extend([0xc0, 12]);
            packet.extend(*kind);
            packet.extend([0, 1, 0, 0, 0, 9]);
            packet.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            packet.extend(*data);
        }
        packet
    }

    fn read(packet: &[u8]) -> Option<Vec<Record>> {
        answer(packet, 7, "_imaps._tcp.example.org.", RecordType::Srv)
    }

    #[test]
    fn a_service() {
        // "mail" and a pointer to "example.org" in the question (12 + 7 + 5).
        let data = [0, 10, 0, 5, 3, 225, 4, b'M', b'a', b'i', b'l', 0xc0, 24];
        let packet = reply(&[(&[0, 5], &[0]), (&[0, 33], &data), (&[0, 33], &[0, 0, 0, 0, 0, 0, 0])]);
        let records = read(&packet).unwrap();
        assert_eq!(records[0], Record::Srv { priority: 10, weight: 5, port: 993, host: "mail.example.org".to_owned() });
        assert!(matches!(&records[1], Record::Srv { host, .. } if host.is_empty()));
        for cut in 0..packet.len() {
            assert_eq!(read(&packet[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn what_is_no_answer() {
        let good = reply(&[]);
        assert_eq!(read(&good), Some(Vec::new()));
        for (at, value) in [(0, 9), (2, 1), (3, 0x82), (13, b'x')] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(read(&bad), None, "{at}");
        }
        assert_eq!(read(&reply(&[(&[0, 33], &[0, 0, 0, 0, 0, 0, 0xc0, 52])])), None, "a pointer to itself");
        assert!(query(1, "a..b", RecordType::Mx).is_none() && query(1, &"a".repeat(64), RecordType::Mx).is_none());
    }

    proptest! {
        #[test]
        fn any_packet(bytes in proptest::collection::vec(any::<u8>(), 0..80), tail in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = read(&bytes);
            let mut packet = reply(&[]);
            packet[7] = 3;
            packet.extend(tail);
            let _ = read(&packet);
        }
    }
}
