//! XML as the services write it: elements in order, escaped text, no attributes except a namespace.

use std::borrow::Cow;
use std::fmt::Display;

/// Writes a document or a part of one.
#[derive(Debug, Default)]
pub(crate) struct XmlWriter {
    text: String,
}

impl XmlWriter {
    /// Returns an empty writer.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Writes `<name>value</name>`.
    pub(crate) fn text(&mut self, name: &str, value: impl Display) -> &mut Self {
        let value = value.to_string();
        self.raw(name, &escape(&value))
    }

    /// Writes an element, or nothing if there is no value.
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// Writes an element whose content is XML already.
    pub(crate) fn raw(&mut self, name: &str, content: &str) -> &mut Self {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
        self.text.push_str(content);
        self.close(name)
    }

    /// Appends XML unchanged.
    pub(crate) fn append(&mut self, content: &str) -> &mut Self {
        self.text.push_str(content);
        self
    }

    /// Writes an element with elements inside.
    pub(crate) fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
        inside(self);
        self.close(name)
    }

    /// Writes an element in a namespace with elements inside.
    pub(crate) fn in_namespace(
        &mut self,
        name: &str,
        namespace: &str,
        inside: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.text
            .push_str(&format!("<{name} xmlns=\"{}\">", escape(namespace)));
        inside(self);
        self.close(name)
    }

    /// Returns the XML.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn close(&mut self, name: &str) -> &mut Self {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
        self
    }
}

/// Escapes text for XML. Characters that XML 1.0 doesn't allow become U+FFFD.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| {
        !matches!(c, '&' | '<' | '>' | '"' | '\r' | '\u{FFFE}' | '\u{FFFF}')
            && (c >= ' ' || c == '\t' || c == '\n')
    };
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // A bare carriage return would be read as a line feed.
            '\r' => escaped.push_str("&#13;"),
            c if is_plain(c) => escaped.push(c),
            _ => escaped.push('\u{FFFD}'),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let check = |text: &str, expect: &str| assert_eq!(escape(text), expect, "{text:?}");
        check("plain ü\n\t", "plain ü\n\t");
        check("a<b>&\"c\"", "a&lt;b&gt;&amp;&quot;c&quot;");
        check("a\r\nb", "a&#13;\nb");
        check("\u{0}\u{1b}[1m\u{FFFF}", "\u{FFFD}\u{FFFD}[1m\u{FFFD}");
        assert!(matches!(escape("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn elements_can_be_nested() {
        let mut xml = XmlWriter::new();
        xml.in_namespace("R", "http://x/", |xml| {
            xml.text("A", 1)
                .optional("B", None::<&str>)
                .element("C", |xml| {
                    xml.raw("D", "<E/>").optional("F", Some("<"));
                });
        });
        assert_eq!(
            xml.finish(),
            "<R xmlns=\"http://x/\"><A>1</A><C><D><E/></D><F>&lt;</F></C></R>"
        );
    }
}
