//! The notation of the tables of IDs, ARNs and attributes, and made-up text.
//!
//! A pattern is text with placeholders in braces: `{partition}`, `{suffix}`, `{region}`,
//! `{account}`, `{stack}`, `{logical}`; `{id}` is the physical ID and `{name}` the name in it;
//! `{arn}` the resource's ARN. A capitalised placeholder is the property of that name; `{Path|/}`
//! has a default value. Of an ARN it is the last part, while `{=Path}` is all of it. `{bus}` is an
//! event bus except the default one, and `{handle}` the ARN in the URL of a wait condition's
//! handle. Placeholders with a number are random text of that length: `{hex17}`, `{HEX32}`,
//! `{upper12}`, `{lower10}`, `{mixed6}`, `{digits10}`; `{stack5}` is the beginning of the stack's
//! name. `{uuid}` and `{byte}` (1 to 254) are random too.

use uuid::{Builder, Uuid};

use super::{DeclaredResource, arn};
use crate::catalog::{self, s3_url};

/// A source of random text, which is the same for the same seed.
#[derive(Clone, Debug)]
pub(super) struct SeededText {
    seed: Uuid,
    drawn: u64,
}

impl SeededText {
    /// Returns a source with a random seed.
    pub(super) fn random() -> Self {
        Self {
            seed: Uuid::new_v4(),
            drawn: 0,
        }
    }

    /// Returns the source for a seed.
    pub(super) fn from_seed(text: &str) -> Self {
        Self {
            seed: Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()),
            drawn: 0,
        }
    }

    fn draw(&mut self) -> [u8; 16] {
        self.drawn += 1;
        Uuid::new_v5(&self.seed, &self.drawn.to_le_bytes()).into_bytes()
    }

    /// Returns random text of this length.
    pub(super) fn text(&mut self, alphabet: &str, length: usize) -> String {
        let letters = alphabet.as_bytes();
        (0..length)
            .map(|_| char::from(letters[usize::from(self.draw()[0]) % letters.len()]))
            .collect()
    }

    /// Returns a random UUID.
    pub(super) fn uuid(&mut self) -> String {
        Builder::from_random_bytes(self.draw())
            .into_uuid()
            .to_string()
    }

    /// Returns the last number of an IP address.
    fn address_byte(&mut self) -> String {
        (self.draw()[0] % 254 + 1).to_string()
    }
}

/// Upper-case letters and digits.
pub(super) const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// Lower-case letters and digits.
pub(super) const LOWER: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

/// The values of placeholders.
pub(super) struct Placeholders<'a> {
    pub declared: &'a DeclaredResource<'a>,
    /// The physical ID; empty if there is none yet.
    pub id: &'a str,
    /// The name in the physical ID.
    pub name: &'a str,
    pub source: SeededText,
    /// The source of addresses, so that all attributes that contain one agree.
    pub addresses: SeededText,
}

impl Placeholders<'_> {
    /// Returns a pattern with its placeholders replaced by their values.
    pub(super) fn expand(&mut self, pattern: &str) -> String {
        let mut text = String::with_capacity(pattern.len() + 32);
        let mut rest = pattern;
        while let Some((before, (word, after))) = rest
            .split_once('{')
            .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
        {
            text.push_str(before);
            text.push_str(&self.value(word));
            rest = after;
        }
        text.push_str(rest);
        text
    }

    fn value(&mut self, word: &str) -> String {
        if let Some(path) = word.strip_prefix('=') {
            return self
                .declared
                .property(path)
                .and_then(|value| value.as_text())
                .unwrap_or_default();
        }
        if word.starts_with(|letter: char| letter.is_ascii_uppercase()) && !word.starts_with("HEX")
        {
            let (path, default) = word.split_once('|').unwrap_or((word, ""));
            let value = self
                .declared
                .property(path)
                .and_then(|value| value.as_text());
            return value.map_or_else(|| default.to_owned(), |text| last_of_arn(&text).to_owned());
        }
        let partition = catalog::partition_of(self.declared.region);
        match word {
            "partition" => partition.name.to_owned(),
            "suffix" => partition.dns_suffix.to_owned(),
            "region" => self.declared.region.to_owned(),
            "account" => self.declared.account.to_owned(),
            "stack" => self.declared.stack_name.to_owned(),
            "logical" => self.declared.logical_id.to_owned(),
            "id" => self.id.to_owned(),
            "name" => self.name.to_owned(),
            "arn" => arn::arn(self),
            "uuid" => self.source.uuid(),
            "byte" => self.addresses.address_byte(),
            "bus" => self.bus(),
            "handle" => self.handle(),
            _ => self.random_text(word),
        }
    }

    /// Returns `orders|` for a rule on an event bus other than the default one.
    fn bus(&self) -> String {
        let name = self
            .declared
            .property("EventBusName")
            .and_then(|value| value.as_text())
            .unwrap_or_default();
        match last_of_arn(&name) {
            "" | "default" => String::new(),
            name => format!("{name}|"),
        }
    }

    /// Returns the ARN in the path of a wait condition's handle, which ends in the handle's logical
    /// ID; a similar one if there is no such handle.
    fn handle(&mut self) -> String {
        let url = self
            .declared
            .property("Handle")
            .and_then(|value| value.as_text())
            .unwrap_or_default();
        let path = url
            .split('?')
            .next()
            .unwrap_or_default()
            .rsplit('/')
            .next()
            .unwrap_or_default();
        match s3_url::decoded(path) {
            arn if arn.starts_with("arn:") => arn,
            _ => self.expand(
                "arn:{partition}:cloudformation:{region}:{account}:stack/{stack}/{uuid}/{logical}",
            ),
        }
    }

    /// Returns random text for a placeholder with a number; an unknown placeholder is returned
    /// unchanged, which the tests of the tables rule out.
    fn random_text(&mut self, word: &str) -> String {
        let (kind, length) = word.split_at(
            word.find(|letter: char| letter.is_ascii_digit())
                .unwrap_or(word.len()),
        );
        let length = length.parse().unwrap_or(0);
        let alphabet = match kind {
            "stack" => return self.declared.stack_name.chars().take(length).collect(),
            "logical" => return self.declared.logical_id.chars().take(length).collect(),
            "hex" => "0123456789abcdef",
            "HEX" => "0123456789ABCDEF",
            "upper" => UPPER,
            "lower" => LOWER,
            "mixed" => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            "digits" => "123456789",
            _ => return format!("{{{word}}}"),
        };
        self.source.text(alphabet, length)
    }
}

/// Returns whether AWS documents the form of what a pattern returns. The form of other random text,
/// addresses and host names isn't guaranteed, so nothing may depend on it.
pub(super) fn is_documented(pattern: &str) -> bool {
    const UNDOCUMENTED: [&str; 8] = [
        "lower", "upper", "mixed", "digits", "HEX", "number", "hosted", "byte",
    ];
    let placeholders = pattern
        .split('{')
        .skip(1)
        .map(|word| word.split('}').next().unwrap_or_default());
    let kinds =
        placeholders.map(|word| word.trim_end_matches(|letter: char| letter.is_ascii_digit()));
    // An empty placeholder is data that only signals bring.
    kinds
        .into_iter()
        .all(|kind| !kind.is_empty() && !UNDOCUMENTED.contains(&kind))
}

/// Returns the last part of an ARN or of a URL; other text is returned unchanged.
pub(super) fn last_of_arn(text: &str) -> &str {
    if text.starts_with("arn:") || text.starts_with("https://") {
        text.rsplit(['/', ':']).next().unwrap_or(text)
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{declared, properties};
    use super::*;

    #[test]
    fn patterns_are_expanded() {
        let properties = properties(
            r#"{"Cluster":"arn:aws:ecs:eu-west-1:1:cluster/c1","Size":3,"A":{"B":"x"}}"#,
        );
        let declared = declared("AWS::SNS::Topic", &properties);
        let check = |pattern: &str, expect: &str| {
            let source = SeededText::from_seed("a");
            let mut placeholders = Placeholders {
                declared: &declared,
                id: "i",
                name: "n",
                addresses: source.clone(),
                source,
            };
            assert_eq!(placeholders.expand(pattern), expect, "{pattern}");
        };
        check(
            "{partition} {suffix} {region} {account}",
            "aws amazonaws.com eu-west-1 123456789012",
        );
        check("{stack}-{logical} {id} {name}", "tcat-web-a1b2-Thing i n");
        check("{Cluster}/{Size}/{A.B}/{Path|/}/{None}", "c1/3/x///");
        check("{arn}", "arn:aws:sns:eu-west-1:123456789012:n");
        check("plain } {", "plain } {");
        check("{Size}{", "3{");
    }

    #[test]
    fn generated_text_depends_on_its_seed() {
        let mut source = SeededText::from_seed("vpc-1 A");
        let first = source.text(UPPER, 12);
        assert_eq!(first.len(), 12);
        assert_ne!(first, source.text(UPPER, 12));
        assert_eq!(SeededText::from_seed("vpc-1 A").text(UPPER, 12), first);
        assert_ne!(SeededText::from_seed("vpc-1 B").text(UPPER, 12), first);
        assert_ne!(
            SeededText::random().text(UPPER, 12),
            SeededText::random().text(UPPER, 12)
        );
        assert_eq!(source.uuid().len(), 36);
    }
}
