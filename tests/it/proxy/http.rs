//! HTTP/1.1 messages as the proxy passes them on: heads as they came, bodies whole.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// Headers of one connection, which are not passed on.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "proxy-connection",
];

/// A request or an answer.
#[derive(Debug, Default)]
pub struct Message {
    /// The request line or the status line.
    pub start: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    /// Reads a request and asks for its body where the client waits to be asked; `None` where the
    /// connection has ended.
    pub fn read_request(connection: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let Some(mut request) = Self::read_head(connection)? else {
            return Ok(None);
        };
        if request.header("expect").is_some() {
            connection
                .get_ref()
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        request.body = if request.is_chunked() {
            read_chunks(connection)?
        } else {
            read_exactly(connection, request.content_length().unwrap_or(0))?
        };
        Ok(Some(request))
    }

    /// Reads the answer to a request.
    pub fn read_answer(connection: &mut BufReader<TcpStream>, method: &str) -> io::Result<Self> {
        loop {
            let mut answer = Self::read_head(connection)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let status = answer.status();
            if (100..200).contains(&status) {
                continue;
            }
            answer.body = if method == "HEAD" || matches!(status, 204 | 304) {
                Vec::new()
            } else if answer.is_chunked() {
                read_chunks(connection)?
            } else if let Some(length) = answer.content_length() {
                read_exactly(connection, length)?
            } else {
                let mut body = Vec::new();
                connection.read_to_end(&mut body)?;
                body
            };
            return Ok(answer);
        }
    }

    fn read_head(connection: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let start = read_line(connection)?;
        if start.is_empty() {
            return Ok(None);
        }
        let mut headers = Vec::new();
        loop {
            let line = read_line(connection)?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok(Some(Self {
            start,
            headers,
            body: Vec::new(),
        }))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The status of an answer.
    pub fn status(&self) -> u16 {
        self.start
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0)
    }

    /// Whether the connection ends after this message.
    pub fn is_last(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
            || self.start.contains("HTTP/1.0")
    }

    /// Writes the message for a new hop; `has_body` is false for answers that only describe a body.
    pub fn write(&self, mut connection: &TcpStream, has_body: bool) -> io::Result<()> {
        let mut bytes = latin1(&self.start);
        bytes.extend_from_slice(b"\r\n");
        for (name, value) in &self.headers {
            let is_passed_on = !HOP_BY_HOP
                .iter()
                .any(|header| name.eq_ignore_ascii_case(header));
            if is_passed_on && !(has_body && name.eq_ignore_ascii_case("content-length")) {
                bytes.extend(latin1(&format!("{name}: {value}\r\n")));
            }
        }
        if has_body {
            bytes.extend(format!("Content-Length: {}\r\n", self.body.len()).bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        if has_body {
            bytes.extend_from_slice(&self.body);
        }
        connection.write_all(&bytes)
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding")
            .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"))
    }

    fn content_length(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }
}

/// A header's bytes are Latin-1 on the way in and out, so that none is lost.
fn latin1(text: &str) -> Vec<u8> {
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?'))
        .collect()
}

/// A line without its end.
fn read_line(connection: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = Vec::new();
    connection.read_until(b'\n', &mut line)?;
    Ok(line
        .trim_ascii_end()
        .iter()
        .map(|&byte| char::from(byte))
        .collect())
}

fn read_exactly(connection: &mut BufReader<TcpStream>, length: usize) -> io::Result<Vec<u8>> {
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok(body)
}

fn read_chunks(connection: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(connection)?;
        let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if size == 0 {
            break;
        }
        body.extend(read_exactly(connection, size)?);
        read_line(connection)?;
    }
    while !read_line(connection)?.is_empty() {}
    Ok(body)
}
