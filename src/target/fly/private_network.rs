//! The private addresses of the simulated machines.
//!
//! A machine of Fly has an IPv6 address in the organisation's private network, where the app
//! answers without the proxy. IPv6 has one loopback address only, so the rehearsal's are IPv4
//! addresses in 127.6.0.0/16 in their IPv6 form. Linux answers on all of them without being told
//! to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first two bytes of every private address.
const NETWORK: [u8; 2] = [127, 6];

/// The private address of the machine of this index.
pub(super) fn private_address(index: usize) -> Ipv6Addr {
    let [high, low] = u16::try_from(index + 1).unwrap_or(u16::MAX).to_be_bytes();
    Ipv4Addr::new(NETWORK[0], NETWORK[1], high, low).to_ipv6_mapped()
}

/// The index of the machine that has this private address, in either form.
pub(in super::super) fn machine_at(address: IpAddr) -> Option<usize> {
    let IpAddr::V4(address) = address.to_canonical() else { return None };
    let [first, second, high, low] = address.octets();
    let number = usize::from(u16::from_be_bytes([high, low]));
    (NETWORK == [first, second]).then(|| number.checked_sub(1)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_address_leads_back_to_its_machine() {
        assert_eq!(private_address(0).to_string(), "::ffff:127.6.0.1");
        for index in [0, 1, 254, 255, 300] {
            assert_eq!(machine_at(private_address(index).into()), Some(index));
        }
        for other in ["127.0.0.1", "127.6.0.0", "::1", "fdaa::1", "10.6.0.1"] {
            assert_eq!(machine_at(other.parse().unwrap()), None, "{other}");
        }
    }
}
