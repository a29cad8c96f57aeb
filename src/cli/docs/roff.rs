//! A writer of manual pages: sections, paragraphs, items and code, from plain text with `code` in backticks. PURE.

/// A page, or a part of one, in man(7) macros.
#[derive(Default)]
pub(super) struct Roff(String);

impl Roff {
    /// Title and name of a page.
    pub(super) fn title(&mut self, name: &str, section: &str, about: &str) -> &mut Self {
        // The definition of Aq is what clap_mangen's text expects: an apostrophe that no font changes.
        self.line(".ie \\n(.g .ds Aq \\(aq").line(".el .ds Aq '");
        self.line(&format!(".TH {} {section} \"\" \"\" \"mailferry\"", escape(&name.to_uppercase())));
        self.section("NAME").line(&format!("{} \\- {}", escape(name), escape(about)))
    }

    /// Begins a section.
    pub(super) fn section(&mut self, title: &str) -> &mut Self {
        if title.contains(' ') { self.line(&format!(".SH \"{title}\"")) } else { self.line(&format!(".SH {title}")) }
    }

    /// A paragraph.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.line(".PP").prose(text)
    }

    /// A term and its explanation.
    pub(super) fn item(&mut self, term: &str, text: &str) -> &mut Self {
        self.line(".TP").line(&format!("\\fB{}\\fR", escape(term))).prose(text)
    }

    /// A second paragraph of an item.
    pub(super) fn more(&mut self, text: &str) -> &mut Self {
        self.line(".IP").prose(text)
    }

    /// Lines as they are.
    pub(super) fn code(&mut self, text: &str) -> &mut Self {
        self.line(".PP").line(".RS 4").line(".nf");
        for line in text.lines() {
            self.line(&guarded(&escape(line)));
        }
        self.line(".fi").line(".RE")
    }

    /// Another part.
    pub(super) fn finish(self) -> String {
        self.0
    }

    /// A line of macros.
    pub(super) fn line(&mut self, line: &str) -> &mut Self {
        self.0.push_str(line);
        self.0.push('\n');
        self
    }

    fn prose(&mut self, text: &str) -> &mut Self {
        let mut out = String::new();
        for (i, part) in text.split('`').enumerate() {
            let escaped = escape(part);
            if i % 2 == 1 { out += &format!("\\fB{escaped}\\fR") } else { out += &escaped }
        }
        self.line(&guarded(&out))
    }
}

/// A line that begins with `.` or `'` would be a macro.
fn guarded(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('~', "\\(ti").replace('^', "\\(ha").replace('\'', "\\(aq")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let mut roff = Roff::default();
        roff.section("A B").text(".x `a-b\\Deleted` ~").item("k", "'v'").code(".a\n'b");
        assert_eq!(
            roff.finish(),
            ".SH \"A B\"\n.PP\n\\&.x \\fBa\\-b\\eDeleted\\fR \\(ti\n.TP\n\\fBk\\fR\n\\(aqv\\(aq\n.PP\n.RS 4\n.nf\n\\&.a\n\\(aqb\n.fi\n.RE\n"
        );
    }
}
