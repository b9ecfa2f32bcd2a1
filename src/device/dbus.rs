//! A D-Bus client that can make one method call after another and nothing else: what rtkit needs.
//!
//! Of our own because of what the others bring along: libdbus would be one more library that the addon needs
//! to load, and zbus is an async runtime with some forty crates. It connects to a Unix socket, authenticates
//! as SASL EXTERNAL (the kernel tells the daemon who we are), says Hello and then sends calls whose
//! arguments are strings and numbers, with a deadline on every read. What it receives is untrusted: lengths
//! are bounded, what does not parse is an error.
//!
//! Thread: whoever opens a stream; never the audio thread. Source: D-Bus Specification 0.42, "Authentication
//! Protocol", "Marshaling", "Message Format".

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

/// Where the system bus is if the environment says nothing.
const SYSTEM_BUS: &str = "unix:path=/run/dbus/system_bus_socket;unix:path=/var/run/dbus/system_bus_socket";
/// How long a call may take in all. rtkit is started by the bus on the first call, and may ask polkit.
const PATIENCE: Duration = Duration::from_secs(3);
/// Largest message that is read; rtkit's answers have some hundred bytes.
const MAX_MESSAGE: usize = 64 * 1024;

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;

/// What a call can carry and what comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arg {
    /// `s`
    Text(String),
    /// `u`
    U32(u32),
    /// `t`
    U64(u64),
    /// `i`
    I32(i32),
    /// `x`
    I64(i64),
}

impl Arg {
    const fn signature(&self) -> char {
        match self {
            Arg::Text(_) => 's',
            Arg::U32(_) => 'u',
            Arg::U64(_) => 't',
            Arg::I32(_) => 'i',
            Arg::I64(_) => 'x',
        }
    }
}

/// Why a call did not work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// There is no bus, or it does not answer. The words say which.
    NoBus(String),
    /// The other side answered with an error: its name, and its words.
    Refused { name: String, message: String },
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CallError::NoBus(words) => f.write_str(words),
            CallError::Refused { name, message } if message.is_empty() => f.write_str(name),
            CallError::Refused { name, message } => write!(f, "{message} ({name})"),
        }
    }
}

/// A connection to a bus.
pub(crate) struct Connection {
    stream: UnixStream,
    serial: u32,
    deadline: Instant,
}

impl Connection {
    /// Connects to the system bus, or to what `DBUS_SYSTEM_BUS_ADDRESS` names.
    pub fn system() -> Result<Self, CallError> {
        let address = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_default();
        Self::open(if address.is_empty() { SYSTEM_BUS } else { &address })
    }

    /// Connects to the first of the addresses, separated by semicolons, that answers.
    pub fn open(addresses: &str) -> Result<Self, CallError> {
        let mut last = None;
        for address in addresses.split(';').filter(|address| !address.is_empty()) {
            let greeted = connect(address).and_then(|stream| {
                let mut this = Self { stream, serial: 0, deadline: Instant::now() + PATIENCE };
                this.authenticate()?;
                Ok(this)
            });
            match greeted {
                Ok(mut connection) => {
                    const BUS: &str = "org.freedesktop.DBus";
                    connection.call(BUS, "/org/freedesktop/DBus", BUS, "Hello", &[])?;
                    return Ok(connection);
                }
                Err(error) => last = Some(format!("{address}: {error}")),
            }
        }
        Err(CallError::NoBus(last.unwrap_or_else(|| format!("{addresses:?} names no bus"))))
    }

    fn authenticate(&mut self) -> io::Result<()> {
        // SAFETY: takes nothing and cannot fail.
        let user = unsafe { libc::geteuid() }.to_string();
        let hex: String = user.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.stream.set_write_timeout(Some(PATIENCE))?;
        self.stream.write_all(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes())?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if line.len() > 512 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "its greeting does not end"));
            }
            line.push(self.read::<1>()?[0]);
        }
        if !line.starts_with(b"OK ") {
            let said = String::from_utf8_lossy(&line);
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, said.trim().to_owned()));
        }
        self.stream.write_all(b"BEGIN\r\n")
    }

    /// Calls a method and waits for its answer, whose basic values come back in their order; a variant is
    /// its content, other kinds end the list.
    pub fn call(
        &mut self,
        service: &str,
        path: &str,
        interface: &str,
        member: &str,
        arguments: &[Arg],
    ) -> Result<Vec<Arg>, CallError> {
        self.deadline = Instant::now() + PATIENCE;
        self.serial += 1;
        let message = call_message(self.serial, service, path, interface, member, arguments);
        let lost = |error: io::Error| CallError::NoBus(format!("the bus went away: {error}"));
        self.stream.write_all(&message).map_err(lost)?;
        loop {
            // Signals and other people's answers are read over.
            let answer = self.receive().map_err(lost)?;
            if answer.reply_to == Some(self.serial) {
                return match answer.kind {
                    METHOD_RETURN => Ok(answer.arguments),
                    _ => Err(CallError::Refused {
                        name: answer.error_name.unwrap_or_default(),
                        message: answer
                            .arguments
                            .into_iter()
                            .find_map(|a| if let Arg::Text(text) = a { Some(text) } else { None })
                            .unwrap_or_default(),
                    }),
                };
            }
        }
    }

    fn receive(&mut self) -> io::Result<Message> {
        let fixed = self.read::<16>()?;
        let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let big = match fixed[0] {
            b'l' => false,
            b'B' => true,
            _ => return Err(bad("a message of unknown byte order")),
        };
        let number = |at: usize| {
            let bytes: [u8; 4] = fixed[at..at + 4].try_into().unwrap_or_default();
            (if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }) as usize
        };
        let (body, fields) = (number(4), number(12));
        let header = fields.next_multiple_of(8);
        if body > MAX_MESSAGE || header > MAX_MESSAGE {
            return Err(bad("a message that is too large"));
        }
        let mut rest = vec![0; header + body];
        self.read_into(&mut rest)?;
        let (fields, body) = (&rest[..fields], &rest[header..]);
        Message::parse(fixed[1], big, fields, body).ok_or_else(|| bad("a message that contradicts itself"))
    }

    fn read<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_into(&mut bytes)?;
        Ok(bytes)
    }

    fn read_into(&mut self, mut into: &mut [u8]) -> io::Result<()> {
        while !into.is_empty() {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(into) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => into = &mut into[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What a timeout of a socket is called.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn connect(address: &str) -> io::Result<UnixStream> {
    let refuse = || io::Error::new(io::ErrorKind::Unsupported, "not a Unix socket");
    let options = address.strip_prefix("unix:").ok_or_else(refuse)?;
    let value = |key: &str| options.split(',').find_map(|option| option.strip_prefix(key));
    if let Some(path) = value("path=") {
        return UnixStream::connect(unescaped(path));
    }
    #[cfg(target_os = "linux")]
    if let Some(name) = value("abstract=") {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(unescaped(name))?;
        return UnixStream::connect_addr(&address);
    }
    Err(refuse())
}

/// `%20` and the like, as addresses have them.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        let code = (*byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => (out.push(byte), at += 3).1,
            None => (out.push(*byte), at += 1).1,
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Bytes being put together. Every value is aligned to its own size, counted from the start.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn u32(&mut self, value: u32) {
        self.align(4);
        self.0.extend(value.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(text.len() as u8);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    /// One header field: its code and a variant.
    fn field(&mut self, code: u8, signature: &str, text: &str) {
        self.align(8);
        self.0.push(code);
        self.signature(signature);
        if signature == "g" { self.signature(text) } else { self.text(text) }
    }

    fn argument(&mut self, argument: &Arg) {
        match argument {
            Arg::Text(text) => self.text(text),
            Arg::U32(value) => self.u32(*value),
            Arg::I32(value) => self.u32(*value as u32),
            Arg::U64(value) => {
                self.align(8);
                self.0.extend(value.to_le_bytes());
            }
            Arg::I64(value) => {
                self.align(8);
                self.0.extend(value.to_le_bytes());
            }
        }
    }
}

fn call_message(
    serial: u32,
    service: &str,
    path: &str,
    interface: &str,
    member: &str,
    arguments: &[Arg],
) -> Vec<u8> {
    let mut body = Writer::default();
    arguments.iter().for_each(|argument| body.argument(argument));
    let mut fields = Writer::default();
    fields.field(1, "o", path);
    fields.field(6, "s", service);
    fields.field(2, "s", interface);
    fields.field(3, "s", member);
    if !arguments.is_empty() {
        let signature: String = arguments.iter().map(Arg::signature).collect();
        fields.field(8, "g", &signature);
    }
    let mut message = Writer(vec![b'l', METHOD_CALL, 0, 1]);
    message.u32(body.0.len() as u32);
    message.u32(serial);
    // The array's content begins at byte 16, which is a multiple of 8: what was aligned in `fields` stays so.
    message.u32(fields.0.len() as u32);
    message.0.extend(fields.0);
    message.align(8);
    message.0.extend(body.0);
    message.0
}

/// A message as far as we care.
#[derive(Debug, Default, PartialEq)]
struct Message {
    kind: u8,
    reply_to: Option<u32>,
    error_name: Option<String>,
    arguments: Vec<Arg>,
}

impl Message {
    fn parse(kind: u8, big: bool, fields: &[u8], body: &[u8]) -> Option<Self> {
        let mut message = Self { kind, ..Self::default() };
        let mut signature = String::new();
        let mut reader = Reader { bytes: fields, at: 0, big };
        while reader.at < fields.len() {
            reader.align(8)?;
            if reader.at >= fields.len() {
                break;
            }
            let code = reader.byte()?;
            let kind = reader.signature()?;
            match (code, kind.as_str()) {
                (5, "u") => message.reply_to = Some(reader.u32()?),
                (4, "s") => message.error_name = Some(reader.text()?),
                (8, "g") => signature = reader.signature()?,
                (_, "s" | "o") => drop(reader.text()?),
                (_, "u") => drop(reader.u32()?),
                (_, "g") => drop(reader.signature()?),
                _ => return None,
            }
        }
        // Only what answers us is looked into.
        if matches!(kind, METHOD_RETURN | ERROR) {
            let mut reader = Reader { bytes: body, at: 0, big };
            for kind in signature.chars() {
                match reader.argument(kind)? {
                    Some(argument) => message.arguments.push(argument),
                    None => break,
                }
            }
        }
        Some(message)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big: bool,
}

impl Reader<'_> {
    fn align(&mut self, to: usize) -> Option<()> {
        self.at = self.at.next_multiple_of(to);
        Some(())
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let bytes = self.bytes.get(self.at..self.at.checked_add(N)?)?.try_into().ok()?;
        self.at += N;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.align(4)?;
        let bytes = self.take()?;
        Some(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn u64(&mut self) -> Option<u64> {
        self.align(8)?;
        let bytes = self.take()?;
        Some(if self.big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    fn string(&mut self, length: usize) -> Option<String> {
        let end = self.at.checked_add(length)?;
        let text = std::str::from_utf8(self.bytes.get(self.at..end)?).ok()?.to_owned();
        self.at = end;
        (self.byte()? == 0).then_some(text)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.u32()? as usize;
        self.string(length)
    }

    fn signature(&mut self) -> Option<String> {
        let length = usize::from(self.byte()?);
        self.string(length)
    }

    /// One value; `Some(None)` for a kind that is not read, `None` where the bytes end.
    fn argument(&mut self, kind: char) -> Option<Option<Arg>> {
        Some(Some(match kind {
            's' | 'o' => Arg::Text(self.text()?),
            'u' => Arg::U32(self.u32()?),
            'i' => Arg::I32(self.u32()? as i32),
            't' => Arg::U64(self.u64()?),
            'x' => Arg::I64(self.u64()? as i64),
            'v' => {
                let inner = self.signature()?;
                let mut kinds = inner.chars();
                match (kinds.next(), kinds.next()) {
                    (Some(kind), None) if kind != 'v' => return self.argument(kind),
                    _ => return Some(None),
                }
            }
            _ => return Some(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification has no bytes; these were laid out by hand from its rules.
    #[test]
    fn a_call_is_laid_out_as_the_specification_says() {
        let bytes = call_message(7, "a.b", "/p", "a.b", "M", &[Arg::U64(1), Arg::U32(2)]);
        let mut expected = vec![b'l', 1, 0, 1];
        expected.extend(12u32.to_le_bytes()); // the body: 8 + 4
        expected.extend(7u32.to_le_bytes());
        // Code, signature, length, text, and zeros up to the next multiple of 8.
        let fields = [
            b"\x01\x01o\0\x02\0\0\0/p\0\0\0\0\0\0".as_slice(),
            b"\x06\x01s\0\x03\0\0\0a.b\0\0\0\0\0",
            b"\x02\x01s\0\x03\0\0\0a.b\0\0\0\0\0",
            b"\x03\x01s\0\x01\0\0\0M\0\0\0\0\0\0\0",
            b"\x08\x01g\0\x02tu\0",
        ]
        .concat();
        expected.extend((fields.len() as u32).to_le_bytes());
        expected.extend(&fields);
        expected.extend(1u64.to_le_bytes());
        expected.extend(2u32.to_le_bytes());
        assert_eq!(bytes, expected);
        assert_eq!(bytes.len() - 12, (16 + fields.len()).next_multiple_of(8));
    }

    #[test]
    fn answers_in_both_byte_orders_are_read() {
        let little = b"\x05\x01u\0\x09\0\0\0\x08\x01g\0\x01v\0\0";
        let big = b"\x05\x01u\0\0\0\0\x09\x08\x01g\0\x01v\0\0";
        let expected = Message {
            kind: METHOD_RETURN,
            reply_to: Some(9),
            error_name: None,
            arguments: vec![Arg::I64(200_000)],
        };
        let body = |bytes: [u8; 8]| [b"\x01x\0\0\0\0\0\0".as_slice(), &bytes].concat();
        let read = |big, fields, body: Vec<u8>| Message::parse(METHOD_RETURN, big, fields, &body);
        assert_eq!(read(false, little, body(200_000i64.to_le_bytes())).as_ref(), Some(&expected));
        assert_eq!(read(true, big, body(200_000i64.to_be_bytes())).as_ref(), Some(&expected));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let seed = b"\x05\x01u\0\x09\0\0\0\x08\x01g\0\x05vsuit\0\x04\x01s\0\xff\xff\xff\xff";
        for length in 0..=seed.len() {
            for change in 0..=255u8 {
                let mut fields = seed[..length].to_vec();
                if let Some(byte) = fields.last_mut() {
                    *byte = change;
                }
                for big in [false, true] {
                    let _ = Message::parse(ERROR, big, &fields, &seed[length..]);
                }
            }
        }
    }

    #[test]
    fn addresses_are_understood() {
        let say = |address: &str| match Connection::open(address) {
            Err(CallError::NoBus(words)) => words,
            other => panic!("{:?}", other.err()),
        };
        assert!(say("unix:path=/nowhere/at%20all").starts_with("unix:path=/nowhere/at%20all: No such file"));
        assert!(say("tcp:host=localhost").ends_with("not a Unix socket"));
        assert!(say("").ends_with("names no bus"));
        assert_eq!(unescaped("/a%20b%2fc%zz"), "/a b/c%zz");
    }

    /// A bus that accepts and then says nothing, or nonsense, must not hold anybody up for good.
    #[test]
    fn a_bus_that_talks_nonsense_is_an_error() {
        let folder = std::env::temp_dir().join(format!("ictus-dbus-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("bus");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            for answer in [b"REJECTED EXTERNAL\r\n".as_slice(), b"OK 1234\r\nnonsense nonsense nonsense"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut said = [0; 64];
                let _ = stream.read(&mut said);
                stream.write_all(answer).unwrap();
                while stream.read(&mut said).is_ok_and(|count| count > 0) {}
            }
        });
        let address = format!("unix:path={}", path.display());
        let say = || match Connection::open(&address) {
            Err(CallError::NoBus(words)) => words,
            other => panic!("{:?}", other.err()),
        };
        assert!(say().ends_with("REJECTED EXTERNAL"));
        assert!(say().ends_with("a message of unknown byte order"));
        server.join().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
