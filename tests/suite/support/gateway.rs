//! A small Pushgateway: it keeps the text of each group, and adds the group's labels when all
//! metrics are read.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Push {
    pub method: String,
    pub path: String,
    /// In lower case.
    pub head: String,
    pub body: String,
}

#[derive(Default)]
struct State {
    requests: Vec<Push>,
    groups: BTreeMap<String, String>,
    /// The status of every answer; 0 for none at all. `None` works as it should.
    status: Option<u16>,
    /// Connections that get no answer.
    silent: Vec<TcpStream>,
}

/// The server. Its thread ends with the process.
pub struct Gateway {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Gateway {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (port, state) = (listener.local_addr().unwrap().port(), Arc::<Mutex<State>>::default());
        let of_thread = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // An error here means that the client closed the connection.
                let _ = serve(stream, &of_thread);
            }
        });
        Self { port, state }
    }

    /// Answers every request with this status; 0 never answers.
    pub fn answer(&self, status: u16) {
        self.state.lock().unwrap().status = Some(status);
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn requests(&self) -> Vec<Push> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The texts that were pushed, in their order.
    pub fn pushed(&self) -> Vec<Push> {
        self.requests().into_iter().filter(|request| request.method == "PUT").collect()
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let (mut head, mut body) = (String::new(), Vec::new());
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let mut words = head.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    reader.take(length.map_or(0, |length| length.parse().unwrap())).read_to_end(&mut body)?;
    let request = Push { method, path, head, body: String::from_utf8(body).unwrap() };
    let mut state = state.lock().unwrap();
    state.requests.push(request.clone());
    let (status, text) = match (state.status, request.method.as_str()) {
        (Some(0), _) => {
            state.silent.push(stream);
            return Ok(());
        }
        (Some(status), _) => (status, String::new()),
        (None, "PUT") => {
            state.groups.insert(request.path, request.body);
            (200, String::new())
        }
        (None, _) => (200, state.groups.iter().map(|(path, text)| with_labels(path, text)).collect()),
    };
    drop(state);
    let length = text.len();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    (&stream).write_all((head + &text).as_bytes())
}

/// The text of a group with the labels of its path, as the Pushgateway shows it.
fn with_labels(path: &str, text: &str) -> String {
    let parts: Vec<&str> = path.split('/').skip_while(|part| *part != "job").collect();
    let group: Vec<String> = parts.chunks(2).map(|pair| format!("{}=\"{}\"", pair[0], pair[1])).collect();
    let line = |line: &str| {
        if line.starts_with('#') {
            return format!("{line}\n");
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = name.trim_end_matches('}').split_once('{').unwrap_or((name, ""));
        let mut all: Vec<&str> = group.iter().map(String::as_str).collect();
        all.extend((!labels.is_empty()).then_some(labels));
        all.sort_unstable();
        format!("{name}{{{}}} {value}\n", all.join(","))
    };
    text.lines().map(line).collect()
}
