//! A TCP proxy that can be cut: then nothing passes any more, and nobody is told, as in a network
//! partition.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Forwards connections to a server. Its threads end with the test.
pub struct TcpProxy {
    /// Where it listens.
    pub address: SocketAddr,
    cut: Arc<Gate>,
}

/// Whether data passes. A closed gate stays closed until the test ends.
#[derive(Default)]
struct Gate {
    is_closed: Mutex<bool>,
    /// Never notified.
    opened: Condvar,
    refuses: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Gate {
    /// Blocks while nothing passes.
    fn pass(&self) {
        let is_closed = self.is_closed.lock().unwrap();
        drop(self.opened.wait_while(is_closed, |is_closed| *is_closed).unwrap());
    }
}

impl TcpProxy {
    /// Starts a proxy for this server.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, cut) = (listener.local_addr().unwrap(), Arc::new(Gate::default()));
        let gate = cut.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let gate = gate.clone();
                thread::spawn(move || serve(client, server, &gate));
            }
        });
        Self { address, cut }
    }

    /// Lets nothing pass from now on, in both directions. Connections stay open.
    pub fn cut(&self) {
        *self.cut.is_closed.lock().unwrap() = true;
    }

    /// Closes all connections, and new ones at once, as if the server had stopped.
    pub fn stop_serving(&self) {
        self.cut.refuses.store(true, Ordering::SeqCst);
        for stream in self.cut.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Serves again.
    pub fn serve_again(&self) {
        self.cut.refuses.store(false, Ordering::SeqCst);
    }
}

fn serve(client: TcpStream, server: SocketAddr, gate: &Arc<Gate>) {
    gate.pass();
    if gate.refuses.load(Ordering::SeqCst) {
        return;
    }
    let Ok(server) = TcpStream::connect(server) else { return };
    gate.open.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
    let (to_client, from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let of_replies = gate.clone();
    let replies = thread::spawn(move || forward(from_server, to_client, &of_replies));
    forward(client, server, gate);
    let _ = replies.join();
}

fn forward(mut from: TcpStream, mut to: TcpStream, gate: &Gate) {
    let mut buffer = [0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        gate.pass();
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    gate.pass();
    let _ = (to.shutdown(Shutdown::Write), from.shutdown(Shutdown::Read));
}
