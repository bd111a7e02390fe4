//! Finds the user that opened the client's end of a connection.
//!
//! Both sockets of a loopback connection are on this machine, and the kernel knows the owner of each. A `sock_diag`
//! query with the connection's two addresses finds the client's socket in 20 µs. If the kernel has no `sock_diag`, the
//! table of all sockets in `/proc/net` is read, which takes 1.5 ms.
//! <https://man7.org/linux/man-pages/man7/sock_diag.7.html>

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};
use rustix::process::geteuid;
use tokio::net::TcpStream;

/// The client's socket of a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClientSocket {
    /// The effective user of the process when it created the socket.
    pub uid: u32,
    /// Names the socket in `/proc/PID/fd`.
    pub inode: u32,
}

impl ClientSocket {
    /// Finds the socket at the other end of an accepted connection.
    ///
    /// Returns `None` if it is on another machine or if the client has closed it, because a socket without a process has no
    /// reliable owner.
    pub fn of(stream: &TcpStream) -> Option<Self> {
        let ends = Ends { client: canonical(stream.peer_addr().ok()?), server: canonical(stream.local_addr().ok()?) };
        let found = ends.find().filter(|found| found.inode != 0)?;
        // After a reset, another client may have reused the address. Without a reset, no other client can have it.
        stream.peer_addr().ok()?;
        Some(found)
    }

    /// Whether the socket belongs to the user that runs this process.
    pub fn is_own(self) -> bool {
        self.uid == geteuid().as_raw()
    }
}

/// Converts an IPv4-mapped IPv6 address to its IPv4 address.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The two addresses of a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ends {
    client: SocketAddr,
    server: SocketAddr,
}

impl Ends {
    fn find(self) -> Option<ClientSocket> {
        /// Whether `sock_diag` has ever found a socket. Before that, "no such socket" may mean that its module is missing.
        static ANSWERS: AtomicBool = AtomicBool::new(false);
        match self.ask_kernel() {
            Ok(Some(found)) => {
                ANSWERS.store(true, Ordering::Relaxed);
                Some(found)
            }
            Ok(None) if ANSWERS.load(Ordering::Relaxed) => None,
            _ => self.look_up_in_proc(),
        }
    }

    fn ask_kernel(self) -> io::Result<Option<ClientSocket>> {
        let kernel =
            socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
        send(&kernel, &self.query(), SendFlags::empty())?;
        // The kernel has answered before `send` returns.
        let mut answer = [0; 1024];
        let (_, length) = recv(&kernel, &mut answer, RecvFlags::DONTWAIT)?;
        self.read_answer(&answer[..length.min(answer.len())])
    }

    /// Encodes a `nlmsghdr` and an `inet_diag_req_v2` for exactly one socket.
    fn query(self) -> Vec<u8> {
        const LENGTH: u32 = 16 + 56;
        const NLM_F_REQUEST: u16 = 1;
        const AF_INET: u8 = 2;
        const AF_INET6: u8 = 10;
        const IPPROTO_TCP: u8 = 6;
        let family = if self.client.is_ipv4() { AF_INET } else { AF_INET6 };
        let mut query = Vec::with_capacity(LENGTH as usize);
        query.extend(LENGTH.to_ne_bytes());
        query.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        query.extend(NLM_F_REQUEST.to_ne_bytes());
        // The sequence number and the sender. They are zero because the socket has only this query.
        query.extend([0; 8]);
        query.extend([family, IPPROTO_TCP, 0, 0]);
        let every_state = u32::MAX;
        query.extend(every_state.to_ne_bytes());
        query.extend(self.client.port().to_be_bytes());
        query.extend(self.server.port().to_be_bytes());
        query.extend(words(self.client.ip()));
        query.extend(words(self.server.ip()));
        let any_interface = 0_u32;
        query.extend(any_interface.to_ne_bytes());
        let no_cookie = u64::MAX;
        query.extend(no_cookie.to_ne_bytes());
        query
    }

    /// Parses a `nlmsghdr` and an `inet_diag_msg`.
    fn read_answer(self, answer: &[u8]) -> io::Result<Option<ClientSocket>> {
        const NLMSG_ERROR: u16 = 2;
        let u16_at = |at: usize| Some(u16::from_ne_bytes(answer.get(at..at + 2)?.try_into().ok()?));
        let u32_at = |at: usize| Some(u32::from_ne_bytes(answer.get(at..at + 4)?.try_into().ok()?));
        let address_at = |ip: usize, port: usize| {
            let port = u16::from_be_bytes(answer.get(port..port + 2)?.try_into().ok()?);
            let words: [u8; 16] = answer.get(ip..ip + 16)?.try_into().ok()?;
            let is_v4 = answer[16] == 2;
            let ip = if is_v4 { IpAddr::from([words[0], words[1], words[2], words[3]]) } else { IpAddr::from(words) };
            Some(canonical(SocketAddr::new(ip, port)))
        };
        match u16_at(4) {
            Some(SOCK_DIAG_BY_FAMILY) => {}
            Some(NLMSG_ERROR) => {
                let error = u32_at(16).map_or(0, |error| error.cast_signed().wrapping_neg());
                let error = io::Error::from_raw_os_error(error);
                return if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) };
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        // Without an exact match, the kernel answers with a socket that listens on the client's port.
        let is_this = address_at(24, 20) == Some(self.client) && address_at(40, 22) == Some(self.server);
        let found = u32_at(80).zip(u32_at(84)).map(|(uid, inode)| ClientSocket { uid, inode });
        Ok(found.filter(|_| is_this))
    }

    fn look_up_in_proc(self) -> Option<ClientSocket> {
        // An IPv4 connection of an IPv6 socket is in the second table.
        ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
            let table = std::fs::read_to_string(table).unwrap_or_default();
            self.look_up(&table)
        })
    }

    /// Finds the connection in a table in the form of `/proc/net/tcp` or `tcp6`.
    fn look_up(self, table: &str) -> Option<ClientSocket> {
        let forms = [in_table(self.client), in_table(self.server)];
        let mapped_forms = [in_table(mapped(self.client)), in_table(mapped(self.server))];
        table.lines().find_map(|line| {
            let columns: Vec<&str> = line.split_ascii_whitespace().collect();
            let (ends, uid, inode) = (columns.get(1..3)?, columns.get(7)?, columns.get(9)?);
            let is_this = ends == forms || ends == mapped_forms;
            is_this.then_some(ClientSocket { uid: uid.parse().ok()?, inode: inode.parse().ok()? })
        })
    }
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;

/// An address as four words in network byte order. An IPv4 address is the first word.
fn words(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => {
            let mut words = [0; 16];
            words[..4].copy_from_slice(&ip.octets());
            words
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// Formats an address as in `/proc/net/tcp`: words in the machine's byte order, in hex.
fn in_table(address: SocketAddr) -> String {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = octets.chunks_exact(4).map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
    let ip: String = words.map(|word| format!("{word:08X}")).collect();
    format!("{ip}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn connection(listen: &str, connect: &str) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((listen, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (client, accepted) = tokio::join!(TcpStream::connect((connect, port)), listener.accept());
        (client.unwrap(), accepted.unwrap().0)
    }

    fn ends(accepted: &TcpStream) -> Ends {
        let (client, server) = (accepted.peer_addr().unwrap(), accepted.local_addr().unwrap());
        Ends { client: canonical(client), server: canonical(server) }
    }

    fn inode(stream: &TcpStream) -> u32 {
        use std::os::fd::AsRawFd;
        let link = std::fs::read_link(format!("/proc/self/fd/{}", stream.as_raw_fd())).unwrap();
        link.to_str().unwrap().trim_start_matches("socket:[").trim_end_matches(']').parse().unwrap()
    }

    #[tokio::test]
    async fn the_kernel_knows_the_user_of_each_kind_of_loopback_connection() {
        for (listen, connect) in
            [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1"), ("0.0.0.0", "127.9.9.9")]
        {
            let (client, accepted) = connection(listen, connect).await;
            let expected = ClientSocket { uid: geteuid().as_raw(), inode: inode(&client) };
            assert_eq!(ClientSocket::of(&accepted), Some(expected), "{listen} {connect}");
            assert!(expected.is_own());
            let ends = ends(&accepted);
            assert_eq!(ends.look_up_in_proc(), Some(expected), "{listen} {connect}");
            assert_eq!(ends.ask_kernel().unwrap(), Some(expected), "{listen} {connect}");
        }
    }

    /// A client that speaks IPv4 through an IPv6 socket.
    #[tokio::test]
    async fn an_ipv4_connection_of_an_ipv6_socket_is_found() {
        let (client, accepted) = connection("127.0.0.1", "::ffff:127.0.0.1").await;
        assert!(client.local_addr().unwrap().is_ipv6());
        let expected = Some(ClientSocket { uid: geteuid().as_raw(), inode: inode(&client) });
        assert_eq!(ClientSocket::of(&accepted), expected);
        assert_eq!(ends(&accepted).look_up_in_proc(), expected);
    }

    #[tokio::test]
    async fn a_client_that_has_closed_its_socket_has_no_user() {
        let (client, accepted) = connection("127.0.0.1", "127.0.0.1").await;
        drop(client);
        assert_eq!(ClientSocket::of(&accepted), None);
        let (client, accepted) = connection("127.0.0.1", "127.0.0.1").await;
        rustix::net::sockopt::set_socket_linger(&client, Some(std::time::Duration::ZERO)).unwrap();
        drop(client);
        assert_eq!(ClientSocket::of(&accepted), None);
    }

    /// For a socket that no longer exists, the kernel returns the one that listens on its port.
    #[tokio::test]
    async fn a_listener_on_the_clients_port_is_not_mistaken_for_the_client() {
        let (client, accepted) = connection("127.0.0.1", "127.0.0.1").await;
        let ends = ends(&accepted);
        rustix::net::sockopt::set_socket_linger(&client, Some(std::time::Duration::ZERO)).unwrap();
        drop(client);
        let _listener = TcpListener::bind(ends.client).await.unwrap();
        assert_eq!((ends.ask_kernel().unwrap(), ends.look_up_in_proc()), (None, None));
        assert_eq!(ClientSocket::of(&accepted), None);
    }

    #[test]
    fn any_kernel_answer_is_parsed_or_rejected() {
        let ends = Ends { client: ([127, 0, 0, 1], 1).into(), server: ([127, 0, 0, 1], 2).into() };
        for length in 0..200 {
            for filler in [0, 2, 20, 255] {
                let mut answer = vec![filler; length];
                if let Some(kind) = answer.get_mut(4..6) {
                    kind.copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
                }
                assert!(!matches!(ends.read_answer(&answer), Ok(Some(_))), "{length} {filler}");
            }
        }
    }
}
