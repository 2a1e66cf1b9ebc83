//! The syntax of AWS configuration files, as Python's `configparser.RawConfigParser` reads it:
//! boto3 and the AWS CLI use that class, and whatever they accept has to mean the same here.
//!
//! Pure: text in, sections with line numbers out. What sections and keys mean is decided in the
//! parent module. A message never repeats a line of the file, which may hold a secret.

use std::fmt;

use indexmap::IndexMap;

/// Keys of this section are defaults of all others.
const DEFAULTS: &str = "DEFAULT";

/// A section's header and its keys, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct IniSection {
    pub line: usize,
    pub keys: IndexMap<String, IniSetting>,
}

/// The value of a key. Keys are lower case.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct IniSetting {
    pub line: usize,
    pub value: IniValue,
}

/// The value of a key: text, or a nested block.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum IniValue {
    Text(String),
    /// An indented block: `s3 =` and below it lines such as `addressing_style = path`.
    Block(IndexMap<String, (usize, String)>),
}

/// Without the value, which may be a secret.
impl fmt::Debug for IniSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "setting in line {}", self.line)
    }
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IniError {
    pub line: usize,
    pub message: String,
}

impl IniError {
    fn new<T>(line: usize, message: impl Into<String>) -> Result<T, Self> {
        Err(Self {
            line,
            message: message.into(),
        })
    }
}

/// Returns the text of a file in UTF-8, with or without a byte order mark.
///
/// # Errors
/// The file has another encoding.
pub(super) fn decode(bytes: &[u8]) -> Result<String, IniError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return IniError::new(1, "the file is encoded in UTF-16; save it in UTF-8");
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let line = 1 + bytes[..error.valid_up_to()]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            IniError::new(
                line,
                "the line is not encoded in UTF-8; save the file in UTF-8",
            )
        }
    }
}

/// Returns the sections by their headers.
///
/// # Errors
/// The first line that can't be read.
pub(super) fn parse(text: &str) -> Result<IndexMap<String, IniSection>, IniError> {
    let mut reader = IniReader::default();
    // Python reads text files with universal newlines.
    for (index, line) in text.replace("\r\n", "\n").split(['\n', '\r']).enumerate() {
        reader.read(index + 1, line)?;
    }
    reader.finish()
}

/// The state between two lines.
#[derive(Default)]
struct IniReader {
    sections: IndexMap<String, RawIniSection>,
    section: Option<String>,
    /// The key that an indented line continues.
    key: Option<String>,
    indentation: usize,
}

#[derive(Default)]
struct RawIniSection {
    line: usize,
    keys: IndexMap<String, (usize, Vec<String>)>,
}

impl IniReader {
    fn read(&mut self, number: usize, line: &str) -> Result<(), IniError> {
        let text = line.trim();
        if text.starts_with(['#', ';']) {
            return Ok(());
        }
        if text.is_empty() {
            if let Some(value) = self.open_value() {
                value.push(String::new());
            }
            return Ok(());
        }
        let indentation = line.chars().take_while(|it| it.is_whitespace()).count();
        if indentation > self.indentation
            && let Some(value) = self.open_value()
        {
            value.push(text.to_owned());
            return Ok(());
        }
        self.indentation = indentation;
        match header(text) {
            Some(name) => self.open_section(number, name),
            None => self.open_key(number, text),
        }
    }

    fn open_value(&mut self) -> Option<&mut Vec<String>> {
        let section = self.sections.get_mut(self.section.as_ref()?)?;
        section
            .keys
            .get_mut(self.key.as_ref()?)
            .map(|(_, lines)| lines)
    }

    fn open_section(&mut self, number: usize, name: &str) -> Result<(), IniError> {
        if let Some(known) = self.sections.get(name)
            && name != DEFAULTS
        {
            let message = format!(
                "the section [{name}] exists already in line {}; join the two",
                known.line
            );
            return IniError::new(number, message);
        }
        self.sections.entry(name.to_owned()).or_default().line = number;
        self.section = Some(name.to_owned());
        self.key = None;
        Ok(())
    }

    fn open_key(&mut self, number: usize, text: &str) -> Result<(), IniError> {
        let Some(section) = self
            .section
            .as_ref()
            .and_then(|name| self.sections.get_mut(name))
        else {
            return IniError::new(
                number,
                "expected a section such as `[default]` or `[profile dev]` before this line",
            );
        };
        let Some((key, value)) = text
            .split_once(['=', ':'])
            .filter(|(key, _)| !key.trim().is_empty())
        else {
            return IniError::new(number, "expected `key = value` or a section in brackets");
        };
        let key = key.trim().to_lowercase();
        if let Some((line, _)) = section.keys.get(&key) {
            return IniError::new(
                number,
                format!("the key `{key}` exists already in line {line}; delete one"),
            );
        }
        section
            .keys
            .insert(key.clone(), (number, vec![value.trim().to_owned()]));
        self.key = Some(key);
        Ok(())
    }

    fn finish(mut self) -> Result<IndexMap<String, IniSection>, IniError> {
        let defaults = self.sections.shift_remove(DEFAULTS).unwrap_or_default();
        let mut sections = IndexMap::new();
        for (name, raw) in self.sections {
            let mut section = IniSection {
                line: raw.line,
                keys: IndexMap::new(),
            };
            for (key, (line, lines)) in raw.keys.into_iter().chain(defaults.keys.clone()) {
                if !section.keys.contains_key(&key) {
                    section.keys.insert(
                        key,
                        IniSetting {
                            line,
                            value: value(line, &lines)?,
                        },
                    );
                }
            }
            sections.insert(name, section);
        }
        Ok(sections)
    }
}

/// Returns the name in brackets. What follows the last bracket is ignored.
fn header(text: &str) -> Option<&str> {
    let name = text.strip_prefix('[')?.rsplit_once(']')?.0;
    Some(name).filter(|name| !name.is_empty())
}

/// Reads a value. One that begins with an empty line is a block, botocore's one level of nesting.
fn value(line: usize, lines: &[String]) -> Result<IniValue, IniError> {
    let text = lines.join("\n").trim_end().to_owned();
    if !text.starts_with('\n') {
        return Ok(IniValue::Text(text));
    }
    let mut block = IndexMap::new();
    for (index, nested) in lines
        .iter()
        .enumerate()
        .filter(|(_, nested)| !nested.is_empty())
    {
        let Some((key, value)) = nested.split_once('=') else {
            return IniError::new(line + index, "expected `key = value` in an indented block");
        };
        block.insert(
            key.trim().to_owned(),
            (line + index, value.trim().to_owned()),
        );
    }
    Ok(IniValue::Block(block))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sections as `section.key=value`, nested keys as `section.key.nested=value`.
    fn flat(text: &str) -> Result<Vec<String>, String> {
        let sections = parse(text).map_err(|error| format!("{}: {}", error.line, error.message))?;
        let mut flat = Vec::new();
        for (name, section) in sections {
            for (key, setting) in section.keys {
                match setting.value {
                    IniValue::Text(text) => flat.push(format!("{name}.{key}={text}")),
                    IniValue::Block(block) => {
                        flat.extend(
                            block
                                .iter()
                                .map(|(nested, (_, text))| format!("{name}.{key}.{nested}={text}")),
                        );
                    }
                }
            }
        }
        Ok(flat)
    }

    #[test]
    fn files_are_read_as_python_reads_them() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(
                flat(text),
                Ok(expected.iter().map(|it| it.to_string()).collect()),
                "{text}"
            );
        };
        check(
            "[default]\nregion = eu-west-1\n",
            &["default.region=eu-west-1"],
        );
        check("[a]\n  x = 1\n  y: 2\n", &["a.x=1", "a.y=2"]);
        check(
            "[a]\nX=1\n   # a comment\ny=2 ; part of the value\n",
            &["a.x=1", "a.y=2 ; part of the value"],
        );
        check("[a]\r\nx = 1\r\n\r\n[b]\r\ny = 2\r\n", &["a.x=1", "b.y=2"]);
        check(
            "[profile \"my own\"]\nx=1\n[profile (it&me)]\nx=ü\n",
            &["profile \"my own\".x=1", "profile (it&me).x=ü"],
        );
        check(
            "[a]\ns3 =\n  addressing_style = path\n  # why\n  x=1\nx = 1",
            &["a.s3.addressing_style=path", "a.s3.x=1", "a.x=1"],
        );
        check(
            "[DEFAULT]\nx = 1\n[a]\ny = 2\n[b]\nx = 3\n",
            &["a.y=2", "a.x=1", "b.x=3"],
        );
        check("[a] ; why\nx = https://h/?a=b\n", &["a.x=https://h/?a=b"]);
        check("[a]\nx =\n", &["a.x="]);
        check("", &[]);
    }

    #[test]
    fn errors_name_their_line_and_never_its_text() {
        let check = |text: &str, expected: &str| {
            let error = flat(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
            assert!(!error.contains("s3cr3t"), "{error}");
        };
        check("region = x", "1: expected a section");
        check("[a]\nx = 1\ns3cr3t\n", "3: expected `key = value`");
        check("[a]\n= s3cr3t\n", "2: expected `key = value`");
        check(
            "[a]\nx=1\n[a]\n",
            "3: the section [a] exists already in line 1",
        );
        check("[a]\nx=1\nX=2\n", "3: the key `x` exists already in line 2");
        check(
            "[a]\ns3 =\n  s3cr3t\n",
            "3: expected `key = value` in an indented block",
        );
    }

    #[test]
    fn only_utf_8_is_read() {
        assert_eq!(decode(b"\xef\xbb\xbf[a]"), Ok("[a]".to_owned()));
        assert_eq!(decode("[ü]".as_bytes()), Ok("[ü]".to_owned()));
        assert_eq!(decode(b"[a]\nx = \xfc\n").unwrap_err().line, 2);
        assert!(
            decode(b"\xff\xfe[\0a\0]\0")
                .unwrap_err()
                .message
                .contains("UTF-16")
        );
    }
}
