//! Whose word about a browser's address is believed. A proxy hides the address of who connects and says it in the
//! header `X-Forwarded-For`, to which each proxy appends whom it sees; what stands to the left may be anybody's.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The header, in small letters.
pub const FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies that are believed: nobody, unless somebody is named.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct TrustedProxies(Vec<Network>);

/// One address, or all that begin with the same bits: `10.0.0.5`, `10.0.0.0/8`, `2001:db8::/32`. It is never the whole
/// internet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    /// All bits behind the prefix are 0. An IPv4 address that is written as an IPv6 one is an IPv4 address.
    first: IpAddr,
    prefix_bits: u32,
}

/// The other side of a socket, and whether it is to be believed.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'p> {
    /// In its canonical form.
    pub address: IpAddr,
    pub trusted_proxies: &'p TrustedProxies,
}

impl Peer<'_> {
    /// The address of the browser that sent a request with these lines of [`FORWARDED_FOR`], which are one list. It is
    /// read from the right, as far as each who wrote an entry is a trusted proxy. What is no address (`unknown`, a
    /// name, nothing) ends the list: what stands to the left of it might be forged.
    pub fn browser<'l>(self, lines: impl DoubleEndedIterator<Item = &'l [u8]>) -> IpAddr {
        let mut entries = lines.rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
        let mut known = self.address;
        while self.trusted_proxies.has(known)
            && let Some(address) = entries.next().and_then(address)
        {
            known = address;
        }
        known
    }
}

impl TrustedProxies {
    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }

    pub fn networks(&self) -> &[Network] {
        &self.0
    }
}

impl FromIterator<Network> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> TrustedProxies {
        TrustedProxies(networks.into_iter().collect())
    }
}

impl Network {
    fn has(&self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4() && first(address, self.prefix_bits) == self.first
    }
}

/// What a text is that is no network to be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoNetwork {
    /// No address, or no number of bits behind it.
    NotOne,
    /// The whole internet: who trusts it lets everybody choose an address.
    Everybody,
    /// The address of one host with the size of a network. Which of both is meant?
    HostInNetwork { host: IpAddr, network: Network },
}

impl FromStr for Network {
    type Err = NoNetwork;

    /// RFC 4632, section 3.1, and RFC 4291, section 2.3; an address alone is one host.
    fn from_str(text: &str) -> Result<Network, NoNetwork> {
        let (host, bits) = match text.split_once('/') {
            Some((host, bits)) => (host, Some(bits)),
            None => (text, None),
        };
        let written: IpAddr = host.parse().map_err(|_| NoNetwork::NotOne)?;
        let host = written.to_canonical();
        let prefix_bits = match bits {
            None => bits_of(host),
            Some(bits) => {
                let number: u32 = bits.parse().map_err(|_| NoNetwork::NotOne)?;
                if bits.starts_with('+') || number > bits_of(written) {
                    return Err(NoNetwork::NotOne);
                }
                // The IPv4 addresses are the last 32 bits of some IPv6 ones. Fewer than all the bits before them is a
                // network of both kinds, which nobody has.
                match number.checked_sub(bits_of(written) - bits_of(host)) {
                    Some(number) => number,
                    None => return Err(if number == 0 { NoNetwork::Everybody } else { NoNetwork::NotOne }),
                }
            }
        };
        let network = Network { first: first(host, prefix_bits), prefix_bits };
        // Nobody has the address that is all 0: who writes it means all.
        if prefix_bits == 0 || (host.is_unspecified() && prefix_bits == bits_of(host)) {
            return Err(NoNetwork::Everybody);
        }
        if network.first != host {
            return Err(NoNetwork::HostInNetwork { host, network });
        }
        Ok(network)
    }
}

/// As it would be written into the list.
impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(out)?;
        if self.prefix_bits == bits_of(self.first) { Ok(()) } else { write!(out, "/{}", self.prefix_bits) }
    }
}

fn bits_of(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with all bits behind the first so many put to 0.
fn first(address: IpAddr, prefix_bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32u32.saturating_sub(prefix_bits)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(prefix_bits)).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

/// One entry of the list. Some proxies write a port, and IPv6 addresses in brackets.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = text.parse().ok().or_else(with_port).or_else(bracketed)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(networks: &[&str]) -> TrustedProxies {
        networks.iter().map(|network| network.parse::<Network>().unwrap()).collect()
    }

    fn browser(trusted_proxies: &TrustedProxies, peer: &str, lines: &[&[u8]]) -> String {
        let peer = Peer { address: peer.parse().unwrap(), trusted_proxies };
        peer.browser(lines.iter().copied()).to_string()
    }

    #[test]
    fn a_network_has_what_begins_with_its_bits() {
        let cases: [(&str, &[&str], &[&str]); 8] = [
            ("10.0.0.5", &["10.0.0.5"], &["10.0.0.4", "::a00:5", "::10.0.0.5"]),
            ("10.0.0.0/8", &["10.0.0.0", "10.255.255.255"], &["9.255.255.255", "11.0.0.0", "a00::"]),
            ("10.0.0.8/31", &["10.0.0.8", "10.0.0.9"], &["10.0.0.7", "10.0.0.10"]),
            ("128.0.0.0/1", &["128.0.0.0", "255.255.255.255"], &["127.255.255.255", "8000::"]),
            ("::1", &["::1"], &["::2", "127.0.0.1", "0.0.0.1"]),
            ("2001:db8::/33", &["2001:db8:7fff:ffff::1"], &["2001:db8:8000::", "2001:db9::"]),
            ("fe80::/10", &["fe80::1", "febf::1"], &["fec0::"]),
            ("::ffff:10.0.0.0/104", &["10.1.2.3"], &["11.0.0.0", "::"]),
        ];
        for (text, inside, outside) in cases {
            let network: Network = text.parse().unwrap();
            for address in inside {
                assert!(network.has(address.parse().unwrap()), "{address} is in {text}");
            }
            for address in outside {
                assert!(!network.has(address.parse().unwrap()), "{address} is not in {text}");
            }
        }
    }

    #[test]
    fn networks_are_written_as_they_are_read() {
        for text in ["10.0.0.5", "10.0.0.0/8", "::1", "2001:db8::/32", "0.0.0.0/8", "::/8"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        for (text, shown) in [
            ("10.0.0.5/32", "10.0.0.5"),
            ("::1/128", "::1"),
            ("2001:DB8:0::/32", "2001:db8::/32"),
            ("::ffff:10.0.0.5", "10.0.0.5"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn nobody_trusts_the_whole_internet_or_what_is_no_network() {
        for text in ["0.0.0.0/0", "::/0", "10.0.0.0/0", "2001:db8::/0", "0.0.0.0", "::", "::ffff:0.0.0.0/96", "::/128"]
        {
            assert_eq!(text.parse::<Network>(), Err(NoNetwork::Everybody), "{text}");
        }
        for text in [
            "",
            "*",
            "/",
            "/8",
            "nginx",
            "localhost",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
            "10.0.0.0/255.0.0.0",
            "10.0.0.0 /8",
            "10.0.0",
            "10.0.0.256",
            "010.0.0.1",
            "10.0.0.1:80",
            "[::1]",
            "fe80::1%eth0",
            "::/129",
            "::/99999999999",
            "::ffff:10.0.0.5/90",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NoNetwork::NotOne), "{text}");
        }
        for (text, host, network) in [
            ("10.0.0.5/8", "10.0.0.5", "10.0.0.0/8"),
            ("2001:db8::1/32", "2001:db8::1", "2001:db8::/32"),
            ("::ffff:10.0.0.5/104", "10.0.0.5", "10.0.0.0/8"),
        ] {
            let (host, network) = (host.parse().unwrap(), network.parse().unwrap());
            assert_eq!(text.parse::<Network>(), Err(NoNetwork::HostInNetwork { host, network }), "{text}");
        }
    }

    #[test]
    fn who_is_not_trusted_is_not_believed() {
        for networks in [&[][..], &["10.0.0.5", "192.168.0.0/16", "2001:db8::/32"]] {
            for peer in ["10.0.0.4", "1.2.3.4", "::1"] {
                assert_eq!(browser(&trusted(networks), peer, &[b"6.6.6.6"]), peer, "{networks:?}");
            }
        }
    }

    #[test]
    fn the_first_from_the_right_who_is_no_trusted_proxy_is_the_browser() {
        let trusted = trusted(&["10.0.0.0/8", "2001:db8::/32", "::1"]);
        let cases: &[(&[&[u8]], &str)] = &[
            (&[], "10.0.0.1"),
            (&[b"1.2.3.4"], "1.2.3.4"),
            (&[b"6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            (&[b"6.6.6.6,1.2.3.4,10.0.0.2 ,\t2001:db8::7"], "1.2.3.4"),
            (&[b"6.6.6.6", b"1.2.3.4"], "1.2.3.4"),
            (&[b"1.2.3.4", b"10.0.0.2", b"10.0.0.3"], "1.2.3.4"),
            (&[b"6.6.6.6, 1.2.3.4", b"::1, 10.0.0.3"], "1.2.3.4"),
            (&[b"10.0.0.9, 10.0.0.2"], "10.0.0.9"),
            (&[b"1.2.3.4:5678"], "1.2.3.4"),
            (&[b"6.6.6.6, [2a00::5]:5678, 10.0.0.2:80"], "2a00::5"),
            (&[b"[2a00::5]"], "2a00::5"),
            (&[b"2A00:0::5"], "2a00::5"),
            (&[b"::ffff:1.2.3.4"], "1.2.3.4"),
            (&[b"6.6.6.6, [::ffff:1.2.3.4]:80, ::ffff:10.0.0.2"], "1.2.3.4"),
        ];
        for (lines, expected) in cases {
            assert_eq!(browser(&trusted, "10.0.0.1", lines), *expected, "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_address_ends_the_list() {
        let trusted = trusted(&["10.0.0.0/8"]);
        let garbage: &[&[u8]] = &[
            b"",
            b" ",
            b"unknown",
            b"_hidden",
            b"-",
            b"localhost",
            b"1.2.3",
            b"1.2.3.256",
            b"01.2.3.4",
            b"1.2.3.4:",
            b"1.2.3.4:65536",
            b"1.2.3.4:5:6",
            b"1.2.3.4/32",
            b"1.2.3.4;10.0.0.2",
            b"1.2.3.4 10.0.0.2",
            b"[1.2.3.4]",
            b"[::1",
            b"::1]",
            b"[::1]80",
            b"[]",
            b"[[::1]]",
            b"fe80::1%eth0",
            b"\"1.2.3.4\"",
            b"for=1.2.3.4",
            b"<script>",
            b"1.2.3.4\0",
            b"\xff\xfe",
            b"\xe2\x80\x8b1.2.3.4",
        ];
        for entry in garbage {
            let name = String::from_utf8_lossy(entry);
            assert_eq!(browser(&trusted, "10.0.0.1", &[entry]), "10.0.0.1", "{name}");
            let behind = [b"6.6.6.6, ", *entry, b", 10.0.0.2"].concat();
            assert_eq!(browser(&trusted, "10.0.0.1", &[&behind]), "10.0.0.2", "{name}");
            assert_eq!(browser(&trusted, "10.0.0.1", &[b"6.6.6.6", entry, b"10.0.0.2"]), "10.0.0.2", "{name}");
            let left = [*entry, b",1.2.3.4"].concat();
            assert_eq!(browser(&trusted, "10.0.0.1", &[&left]), "1.2.3.4", "{name}");
        }
        let long = [b"6.6.6.6, ".to_vec(), b"1".repeat(1 << 20), b", 10.0.0.2".to_vec()].concat();
        assert_eq!(browser(&trusted, "10.0.0.1", &[&long]), "10.0.0.2");
        let many = [b"1.2.3.4,".to_vec(), b"10.0.0.2,".repeat(100_000), b"10.0.0.3".to_vec()].concat();
        assert_eq!(browser(&trusted, "10.0.0.1", &[&many]), "1.2.3.4");
    }
}
