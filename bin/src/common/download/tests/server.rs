//! A small server on this machine's loopback interface, of HTTP, of HTTPS, or a proxy that opens secure connections.

use std::io::{BufRead, BufReader, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// Value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The first byte that is asked for.
    pub fn from(&self) -> usize {
        let range = self.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        range.map_or(0, |from| from.parse().unwrap())
    }
}

/// An answer of the server.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    /// An answer without contents.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }.with("content-length", "0")
    }

    /// An answer that leads elsewhere.
    pub fn redirect(location: &str) -> Self {
        Self::status(302).with("location", location)
    }

    /// The part of a file that a request asks for.
    pub fn part(request: &Request, file: &[u8]) -> Self {
        let from = request.from();
        let body = file[from.min(file.len())..].to_vec();
        let reply = match from {
            0 => Self { status: 200, headers: Vec::new(), body },
            _ if from >= file.len() => return Self::status(416),
            _ => Self { status: 206, headers: Vec::new(), body }
                .with("content-range", &format!("bytes {from}-{}/{}", file.len() - 1, file.len())),
        };
        let length = reply.body.len().to_string();
        reply.with("content-length", &length)
    }

    /// A whole file, whatever is asked for.
    pub fn whole(file: &[u8]) -> Self {
        let reply = Self { status: 200, headers: Vec::new(), body: file.to_vec() };
        reply.with("content-length", &file.len().to_string())
    }

    /// The same with a header, in place of an earlier one of this name.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same without a header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// The same with a connection that ends after so many bytes of the contents.
    pub fn cut(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self
    }

    /// The same with more contents than the head says.
    pub fn and(mut self, bytes: &[u8]) -> Self {
        self.body.extend(bytes);
        self
    }
}

/// A server, which ends when it is dropped.
pub struct Server {
    scheme: &'static str,
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server that answers each request by a function of it and of the number of requests before it.
    pub fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen("http", move |mut stream, requests| serve(&mut stream, requests, &answer))
    }

    /// As [`start`](Self::start), of HTTPS, with a certificate for 127.0.0.1 and publisher.example.
    pub fn secure(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen("https", move |stream, requests| serve_secure(stream, requests, &answer))
    }

    /// As [`secure`](Self::secure), of a proxy that answers for every host that it is asked to connect with.
    pub fn between(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen("http", move |mut stream, requests| {
            let connect = read(&mut stream)?;
            assert_eq!(connect.method, "CONNECT");
            requests.lock().unwrap().push(connect);
            stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
            serve_secure(stream, requests, &answer)
        })
    }

    /// Starts a server that does this with each connection.
    fn listen(
        scheme: &'static str,
        serve: impl Fn(TcpStream, &Mutex<Vec<Request>>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, ends) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (kept, ended) = (Arc::clone(&requests), Arc::clone(&ends));
        let thread = spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                // A client that goes away is no failure of the server.
                let _ = serve(stream.unwrap(), &kept);
            }
        });
        Self { scheme, address, requests, ends, thread: Some(thread) }
    }

    /// Address of the server, without a path.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The requests up to now.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(ended.is_none_or(|ended| ended.is_ok()) || std::thread::panicking());
    }
}

/// Serves a connection by TLS, and ends it as TLS does. The authority that vouches for the certificate is in
/// `certificates/authority.pem`, for 2020 to 2119; its key was not kept.
fn serve_secure(
    mut stream: TcpStream,
    requests: &Mutex<Vec<Request>>,
    answer: &impl Fn(&Request, usize) -> Reply,
) -> Result<()> {
    let certificate = include_bytes!("certificates/server.der").as_slice().into();
    let key = PrivateKeyDer::Pkcs8(include_bytes!("certificates/server.key.der").as_slice().into());
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
    serve(&mut Stream::new(&mut connection, &mut stream), requests, answer)?;
    connection.send_close_notify();
    connection.complete_io(&mut stream).map(|_| ())
}

/// The head of a request.
fn read(stream: &mut impl Read) -> Result<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let mut words = first.split(' ').map(str::to_owned);
    let (Some(method), Some(path), Some(_)) = (words.next(), words.next(), words.next()) else {
        return Err(ErrorKind::InvalidData.into());
    };
    let mut headers = Vec::new();
    for line in lines {
        let line = line?;
        match line.split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => break,
        }
    }
    Ok(Request { method, path, headers })
}

fn serve(
    stream: &mut (impl Read + Write),
    requests: &Mutex<Vec<Request>>,
    answer: &impl Fn(&Request, usize) -> Reply,
) -> Result<()> {
    let request = read(stream)?;
    let before = {
        let mut requests = requests.lock().unwrap();
        requests.push(request.clone());
        requests.len() - 1
    };
    let Reply { status, headers, body } = answer(&request, before);
    write!(stream, "HTTP/1.1 {status} Said\r\nConnection: close\r\n")?;
    headers.iter().try_for_each(|(name, value)| write!(stream, "{name}: {value}\r\n"))?;
    stream.write_all(b"\r\n")?;
    if request.method != "HEAD" {
        stream.write_all(&body)?;
    }
    stream.flush()
}
