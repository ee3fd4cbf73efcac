//! One message as it was read: its lines, fields, body and trailers, whether it is whole, and every fault in it.

use super::{body, grammar, head};

/// One field line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// As it was written.
    pub name: Vec<u8>,
    /// Without the white space around it.
    pub value: Vec<u8>,
}

impl Field {
    /// Whether it has this name, in whatever case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The end of the connection: responses only.
    UntilClose,
}

/// A message, or as much of one as came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its bytes.
    pub raw: Vec<u8>,
    /// The request line or status line, without its line end.
    pub start: Vec<u8>,
    /// In order.
    pub fields: Vec<Field>,
    /// How its end is told.
    pub framing: Framing,
    /// Without the framing of chunks.
    pub body: Vec<u8>,
    /// After the last chunk.
    pub trailers: Vec<Field>,
    /// Whether the head came to its end.
    pub has_head: bool,
    /// Whether all of it came.
    pub is_whole: bool,
    /// What a sender must not have sent.
    pub faults: Vec<String>,
}

impl Message {
    fn word(&self, number: usize) -> &[u8] {
        let mut words = self.start.splitn(3, |byte| *byte == b' ');
        words.nth(number).unwrap_or_default()
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        self.word(0)
    }

    /// The target of a request.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.word(1)
    }

    /// The version of a request.
    #[must_use]
    pub fn version(&self) -> &[u8] {
        self.word(2)
    }

    /// The status of a response; 0 where there is none.
    #[must_use]
    pub fn status(&self) -> u16 {
        let status = grammar::decimal(self.word(1)).and_then(|code| u16::try_from(code).ok());
        status.unwrap_or(0)
    }

    /// Whether a final answer follows it.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status()) && self.status() != 101
    }

    /// The values of a field, in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.fields.iter().filter(move |field| field.is(name));
        named.map(|field| field.value.as_slice())
    }

    fn new(head: head::Head, bytes: &[u8]) -> Self {
        Self {
            raw: bytes.to_vec(),
            start: head.start,
            fields: head.fields,
            framing: Framing::None,
            body: Vec::new(),
            trailers: Vec::new(),
            has_head: true,
            is_whole: false,
            faults: head.faults,
        }
    }

    fn begun(bytes: &[u8]) -> Self {
        let head = head::Head {
            start: bytes.to_vec(),
            ..head::Head::default()
        };
        let mut message = Self::new(head, bytes);
        message.has_head = false;
        message
    }

    fn fault(&mut self, text: &str) {
        self.faults.push(text.to_owned());
    }

    /// What the fields say of the body; `None`: nothing.
    fn framed(&mut self) -> Option<Framing> {
        let own = |values: Vec<&[u8]>| values.into_iter().map(<[u8]>::to_vec).collect();
        let codings: Vec<Vec<u8>> = own(self.values("transfer-encoding").collect());
        let lengths: Vec<Vec<u8>> = own(self.values("content-length").collect());
        if !codings.is_empty() && !lengths.is_empty() {
            self.fault("both Transfer-Encoding and Content-Length");
        }
        if let [coding, more @ ..] = codings.as_slice() {
            if !more.is_empty() || !coding.eq_ignore_ascii_case(b"chunked") {
                self.fault("a Transfer-Encoding other than one chunked");
            }
            return Some(Framing::Chunked);
        }
        let [length, more @ ..] = lengths.as_slice() else {
            return None;
        };
        if !more.is_empty() {
            self.fault("more than one Content-Length");
        }
        let Some(length) = grammar::decimal(length) else {
            self.fault("a Content-Length that is no number");
            return Some(Framing::None);
        };
        Some(Framing::Length(length))
    }

    fn take_body(mut self, rest: &[u8]) -> Read {
        let taken = match self.framing {
            Framing::None => Some(0),
            Framing::UntilClose => {
                self.body = rest.to_vec();
                None
            }
            Framing::Length(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let body = rest.get(..length).unwrap_or(rest);
                self.body = body.to_vec();
                (body.len() == length).then_some(length)
            }
            Framing::Chunked => {
                let chunks = body::read(rest);
                self.body = chunks.body;
                self.trailers = chunks.trailers;
                self.faults.extend(chunks.faults);
                if chunks.is_broken {
                    return Read::Broken(self);
                }
                chunks.length
            }
        };
        let Some(taken) = taken else {
            return Read::Part(self);
        };
        let length = self.raw.len() - rest.len() + taken;
        self.raw.truncate(length);
        self.is_whole = true;
        Read::Whole(self, length)
    }
}

/// What came of reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// There is not a byte.
    Nothing,
    /// More has to come, or the end of the connection.
    Part(Message),
    /// All of it, and how many bytes that is.
    Whole(Message, usize),
    /// Where it ends cannot be known.
    Broken(Message),
}

/// Reads the request that these bytes begin with.
#[must_use]
pub fn read_request(bytes: &[u8]) -> Read {
    let head = match head::read(bytes) {
        None if bytes.is_empty() => return Read::Nothing,
        None => return Read::Part(Message::begun(bytes)),
        Some(head) => head,
    };
    let rest = bytes.get(head.length..).unwrap_or_default();
    let mut message = Message::new(head, bytes);
    request_line(&mut message);
    host(&mut message);
    connection_options(&mut message);
    if message.version() == b"HTTP/1.0" && message.values("transfer-encoding").next().is_some() {
        message.fault("Transfer-Encoding in HTTP/1.0");
    }
    message.framing = message.framed().unwrap_or(Framing::None);
    message.take_body(rest)
}

/// Reads the response that these bytes begin with. `method` is that of the request it answers.
#[must_use]
pub fn read_response(bytes: &[u8], method: &[u8]) -> Read {
    let head = match head::read(bytes) {
        None if bytes.is_empty() => return Read::Nothing,
        None => return Read::Part(Message::begun(bytes)),
        Some(head) => head,
    };
    let rest = bytes.get(head.length..).unwrap_or_default();
    let mut message = Message::new(head, bytes);
    status_line(&mut message);
    let status = message.status();
    let framing = message.framed();
    let has_no_body =
        method == b"HEAD" || (100..200).contains(&status) || matches!(status, 204 | 304);
    if framing.is_some() && (status < 200 || status == 204) {
        message.fault("framing fields where there is never a body");
    }
    message.framing = match framing {
        _ if has_no_body => Framing::None,
        Some(framing) => framing,
        None => Framing::UntilClose,
    };
    message.take_body(rest)
}

fn request_line(message: &mut Message) {
    let words = message.start.split(|byte| *byte == b' ').count();
    if words != 3 {
        message.fault("a request line is three words with one space between");
        return;
    }
    if !grammar::is_token(message.method()) {
        message.fault("a method that is no token");
    }
    if !matches!(message.version(), b"HTTP/1.1" | b"HTTP/1.0") {
        message.fault("a version other than HTTP/1.1 and HTTP/1.0");
    }
    let is_whole_server = message.method() == b"OPTIONS" && message.target() == b"*";
    if !is_whole_server && !grammar::is_path(message.target()) {
        message.fault("a target that is no origin form");
    }
}

fn host(message: &mut Message) {
    let hosts: Vec<&[u8]> = message.values("host").collect();
    let is_well = match hosts.as_slice() {
        [] => message.version() == b"HTTP/1.0",
        [host] => grammar::is_host(host),
        _ => false,
    };
    if !is_well {
        message.fault("not exactly one valid Host");
    }
}

/// What is meant for one hop says so in `Connection` (RFC 9110 §7.8 and §10.1.4).
fn connection_options(message: &mut Message) {
    for name in ["upgrade", "te"] {
        let is_nominated = message
            .values("connection")
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(name.as_bytes()));
        if message.values(name).next().is_some() && !is_nominated {
            message.fault(&format!("{name} without the connection option"));
        }
    }
}

fn status_line(message: &mut Message) {
    if !matches!(message.word(0), b"HTTP/1.1" | b"HTTP/1.0") {
        message.fault("a version other than HTTP/1.1 and HTTP/1.0");
    }
    let code = message.word(1);
    let is_code = code.len() == 3 && (100..=599).contains(&message.status());
    if !is_code {
        message.fault("a status that is no code of three digits from 100 to 599");
    }
    let spaces = message.start.iter().filter(|byte| **byte == b' ').count();
    if spaces < 2 {
        message.fault("a status line without the space before its reason");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(request: &str) -> Vec<String> {
        match read_request(request.as_bytes()) {
            Read::Whole(message, _) | Read::Part(message) | Read::Broken(message) => message.faults,
            Read::Nothing => vec!["nothing".to_owned()],
        }
    }

    #[test]
    fn a_request_is_read_to_its_last_byte_and_no_further() {
        let bytes = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET";
        let Read::Whole(message, length) = read_request(bytes) else {
            panic!("not whole");
        };
        assert_eq!(length, bytes.len() - 3);
        assert_eq!(message.body, b"abc");
        assert_eq!(message.target(), b"/a");
        assert!(message.faults.is_empty(), "{:?}", message.faults);
    }

    #[test]
    fn each_deviation_is_a_fault() {
        for bad in [
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nA\0: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
        ] {
            assert!(!faults(bad).is_empty(), "{bad:?}");
        }
    }

    #[test]
    fn a_response_ends_as_its_fields_and_its_request_say() {
        let whole = |bytes: &[u8], method: &[u8]| match read_response(bytes, method) {
            Read::Whole(message, _) => Some(message.body),
            _ => None,
        };
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        assert_eq!(whole(head, b"HEAD"), Some(Vec::new()));
        assert_eq!(whole(head, b"GET"), None);
        assert_eq!(
            whole(b"HTTP/1.1 304 Not Modified\r\n\r\n", b"GET"),
            Some(Vec::new())
        );
        assert_eq!(
            whole(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
                b"GET"
            ),
            Some(b"a".to_vec())
        );
        assert_eq!(whole(b"HTTP/1.1 200 OK\r\n\r\nabc", b"GET"), None);
    }
}
