//! A recording proxy between a program and a server, so that tests can count calls, read what was
//! sent, and make calls fail in ways that the servers never do by themselves. It knows nothing of
//! the program under test.

mod call;
mod faults;
mod http;

use std::io::{self, BufReader};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::servers::Server;
use faults::{Effect, Faults};
use http::Message;

/// How long a call hangs at most.
const HANG: Duration = Duration::from_secs(300);

/// The proxy serves until it is dropped, which closes its connections.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    upstream: SocketAddr,
    faults: Mutex<Faults>,
    calls: Mutex<Vec<Value>>,
    connections: Mutex<Vec<TcpStream>>,
    has_ended: AtomicBool,
}

impl Proxy {
    pub fn before(server: &Server) -> Self {
        Self::with_faults(server, &[])
    }

    /// Starts a proxy that makes some calls fail, before or after they take effect: [`faults`] says
    /// how a fault is written. For example, `CreateStack@eu-west-1=403:AccessDenied`, or
    /// `DescribeStackEvents=throttle*3`: the first three such calls are throttled.
    pub fn with_faults(server: &Server, faults: &[&str]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let state = Arc::new(State {
            upstream: SocketAddr::from(([127, 0, 0, 1], server.port())),
            faults: Mutex::new(Faults::new(faults)),
            calls: Mutex::default(),
            connections: Mutex::default(),
            has_ended: AtomicBool::new(false),
        });
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            state: state.clone(),
        };
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if state.has_ended.load(Ordering::SeqCst) {
                    break;
                }
                state
                    .connections
                    .lock()
                    .unwrap()
                    .push(connection.try_clone().unwrap());
                let state = state.clone();
                // A client that was interrupted drops its connections; that is no news.
                thread::spawn(move || _ = state.serve(connection));
            }
        });
        proxy
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls so far, in the order of their answers.
    pub fn calls(&self) -> Calls {
        Calls(self.state.calls.lock().unwrap().clone())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.has_ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts connections.
        let _ = TcpStream::connect(self.address);
        for connection in self.state.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl State {
    fn serve(&self, connection: TcpStream) -> io::Result<()> {
        connection.set_nodelay(true)?;
        let mut upstream = None;
        let mut reader = BufReader::new(connection.try_clone()?);
        while let Some(request) = Message::read_request(&mut reader)? {
            let mut call = call::describe(&request);
            let (fault, hidden) = {
                let mut faults = self.faults.lock().unwrap();
                (faults.of(&call), faults.not_yet_visible(&call))
            };
            let service = call["service"].as_str().unwrap_or_default().to_owned();
            let is_lost = |after| {
                fault
                    .as_ref()
                    .filter(|it| it.delay().is_none() && it.is_after == after)
            };
            let mut answer = match (hidden, is_lost(false)) {
                (Some(error), _) => Some(refusal(error)),
                (None, Some(fault)) => fault.answer(&service).map(refusal),
                (None, None) => {
                    let answer = self.forward(&request, &mut upstream)?;
                    if answer.status() < 300 {
                        self.faults.lock().unwrap().note(&call);
                    }
                    Some(answer)
                }
            };
            call["status"] = answer.as_ref().map(Message::status).into();
            if let Some(fault) = is_lost(true) {
                answer = fault.answer(&service).map(refusal);
                if let Some(answer) = &answer {
                    call["status"] = answer.status().into();
                }
            }
            if let Some(fault) = &fault {
                call["fault"] = fault.text.as_str().into();
            }
            let has_body = call["method"] != "HEAD" && call["status"] != 204;
            self.calls.lock().unwrap().push(call);
            if let Some(delay) = fault.as_ref().and_then(Effect::delay) {
                thread::sleep(delay);
            }
            let Some(answer) = answer else {
                if fault.is_some_and(|fault| fault.hangs()) {
                    wait_until_closed(&connection)?;
                }
                return connection.shutdown(Shutdown::Both);
            };
            answer.write(&connection, has_body)?;
            if request.is_last() {
                return connection.shutdown(Shutdown::Both);
            }
        }
        Ok(())
    }

    /// Passes a request on, over the connection of the one before if that still works.
    fn forward(
        &self,
        request: &Message,
        upstream: &mut Option<BufReader<TcpStream>>,
    ) -> io::Result<Message> {
        let method = request.start.split(' ').next().unwrap_or_default();
        if let Some(mut connection) = upstream.take()
            && let Ok(answer) = exchange(request, method, &mut connection)
        {
            *upstream = Some(connection).filter(|_| !answer.is_last());
            return Ok(answer);
        }
        // The server may have closed a connection that lay idle; a new one shows whether the server
        // still runs.
        let connection = TcpStream::connect(self.upstream)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(Duration::from_secs(120)))?;
        let mut connection = BufReader::new(connection);
        let answer = exchange(request, method, &mut connection)?;
        *upstream = Some(connection).filter(|_| !answer.is_last());
        Ok(answer)
    }
}

fn exchange(
    request: &Message,
    method: &str,
    connection: &mut BufReader<TcpStream>,
) -> io::Result<Message> {
    request.write(connection.get_ref(), true)?;
    Message::read_answer(connection, method)
}

/// An answer of the proxy's own.
fn refusal((status, body): (u16, String)) -> Message {
    let kind = if body.starts_with('{') {
        "application/x-amz-json-1.1"
    } else {
        "text/xml"
    };
    Message {
        start: format!("HTTP/1.1 {status} "),
        headers: vec![("Content-Type".to_owned(), kind.to_owned())],
        body: body.into_bytes(),
    }
}

fn wait_until_closed(connection: &TcpStream) -> io::Result<()> {
    let started = Instant::now();
    connection.set_read_timeout(Some(Duration::from_millis(50)))?;
    while started.elapsed() < HANG {
        match connection.peek(&mut [0]) {
            Ok(0) => break,
            Ok(_) => thread::sleep(Duration::from_millis(50)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) => {}
            Err(_) => break,
        }
    }
    Ok(())
}

/// Recorded calls: what [`call::describe`] says of them, the `status` of the answer that the client
/// got (where it got none, of the server's; null where there wasn't any), and the `fault` that hit
/// the call, if one did.
#[derive(Debug)]
pub struct Calls(pub Vec<Value>);

impl Calls {
    pub fn of(&self, action: &str) -> Vec<&Value> {
        self.0
            .iter()
            .filter(|call| call["action"] == action)
            .collect()
    }

    pub fn count(&self, action: &str) -> usize {
        self.of(action).len()
    }

    /// How often each action was called, for a message that helps.
    pub fn summary(&self) -> String {
        let mut counts = std::collections::BTreeMap::<String, usize>::new();
        for call in &self.0 {
            *counts
                .entry(format!("{}.{}", call["service"], call["action"]).replace('"', ""))
                .or_default() += 1;
        }
        counts
            .iter()
            .map(|(action, count)| format!("{count:4} {action}\n"))
            .collect()
    }
}

/// The numbered members of a list in a query:
/// `form_list(call, "Parameters.member", ["ParameterKey", "ParameterValue"])`.
pub fn form_list<const N: usize>(call: &Value, list: &str, fields: [&str; N]) -> Vec<[String; N]> {
    let field = |index: usize, name: &str| call["form"][format!("{list}.{index}.{name}")].as_str();
    (1..)
        .take_while(|index| fields.iter().any(|name| field(*index, name).is_some()))
        .map(|index| fields.map(|name| field(index, name).unwrap_or_default().to_owned()))
        .collect()
}
