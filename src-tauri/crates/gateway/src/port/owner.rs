//! Which process listens on an address, as far as the system tells.

use std::net::SocketAddr;

/// The name and id of the process that listens on `address` (`nginx (pid 812)`). `None` where the
/// system does not say: other systems than Linux, or a process of another user.
pub fn of_listener(address: SocketAddr) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .find_map(|table| listening_inode(&table, address.port()))?;
    let (pid, name) = holder_of(&format!("socket:[{inode}]"))?;
    Some(format!("{name} (pid {pid})"))
}

/// The inode of the socket that listens on `port`, from the kernel's table: the second column is
/// the local address in hexadecimal, the fourth the state (`0A` is listening), the tenth the inode.
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let local = columns.get(1)?.rsplit(':').next()?;
        let listens = *columns.get(3)? == "0A" && u16::from_str_radix(local, 16).ok()? == port;
        listens.then(|| columns.get(9)?.parse().ok()).flatten()
    })
}

fn holder_of(socket: &str) -> Option<(u32, String)> {
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let holds = std::fs::read_dir(entry.path().join("fd"))
            .ok()?
            .flatten()
            .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|link| link.as_os_str() == socket));
        if !holds {
            return None;
        }
        let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
        Some((pid, name.trim().to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listening_socket_of_that_port_counts() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:2256 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 11 1\n\
             1: 0100007F:2256 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22 1\n";
        assert_eq!(listening_inode(table, 0x2256), Some(22));
        assert_eq!(listening_inode(table, 80), None);
    }
}
