//! The network of a sandbox's machines: a bridge with a subnet of its own, in which addresses stay with a machine
//! from launch to termination, as on EC2.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::ContainersError;
use super::engine::Engine;

/// The host numbers for machines; below are the gateway and the engine's own, above are databases.
const MACHINES: std::ops::RangeInclusive<u8> = 10..=199;
/// The host numbers for databases.
const DATABASES: std::ops::RangeInclusive<u8> = 200..=250;
/// How many subnets are tried.
const SUBNETS: u8 = 32;

/// A bridge network with the addresses that are taken in it.
#[derive(Debug)]
pub(super) struct Network {
    name: String,
    prefix: [u8; 3],
    taken: BTreeSet<u8>,
    last: u8,
}

impl Network {
    /// Makes the network, in the first subnet that neither the host's routes nor the engine's networks use.
    pub(super) async fn create(
        engine: &Engine,
        name: &str,
        label: &str,
    ) -> Result<Self, ContainersError> {
        let routes = fs_err::read_to_string("/proc/net/route")?;
        let mut refusal = None;
        for third in 0..SUBNETS {
            let prefix = [10, 213, third];
            if is_routed(&routes, prefix) {
                continue;
            }
            let subnet = format!("10.213.{third}.0/24");
            let arguments = [
                "network", "create", "--driver", "bridge", "--subnet", &subnet, "--label", label,
                name,
            ];
            match engine.run(arguments).await {
                Ok(_) => {
                    return Ok(Self {
                        name: name.to_owned(),
                        prefix,
                        taken: BTreeSet::new(),
                        last: *MACHINES.start() - 1,
                    });
                }
                Err(error) => refusal = Some(error),
            }
        }
        Err(refusal.unwrap_or(ContainersError::NoSubnet))
    }

    /// The network's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Takes an address for a machine: the one that is wished for if it is of this network and free, else the next.
    pub(super) fn machine(&mut self, wish: Option<&str>) -> Result<IpAddr, ContainersError> {
        let wished = wish
            .and_then(|text| text.parse::<Ipv4Addr>().ok())
            .map(|address| address.octets())
            .filter(|octets| octets[..3] == self.prefix && MACHINES.contains(&octets[3]))
            .map(|octets| octets[3])
            .filter(|host| !self.taken.contains(host));
        // Going round, so that an address is not given to another machine while somebody still asks the old one.
        let next = (self.last..=*MACHINES.end())
            .skip(1)
            .chain(MACHINES)
            .find(|host| !self.taken.contains(host));
        let host = wished.or(next).ok_or(ContainersError::NoAddress)?;
        self.last = host;
        Ok(self.take(host))
    }

    /// Takes an address for a database.
    pub(super) fn database(&mut self) -> Result<IpAddr, ContainersError> {
        let host = DATABASES
            .into_iter()
            .find(|host| !self.taken.contains(host))
            .ok_or(ContainersError::NoAddress)?;
        Ok(self.take(host))
    }

    /// Gives an address back.
    pub(super) fn release(&mut self, address: IpAddr) {
        if let IpAddr::V4(address) = address {
            self.taken.remove(&address.octets()[3]);
        }
    }

    fn take(&mut self, host: u8) -> IpAddr {
        self.taken.insert(host);
        let [a, b, c] = self.prefix;
        IpAddr::V4(Ipv4Addr::new(a, b, c, host))
    }
}

/// Tells whether a route of `/proc/net/route` other than the default one covers part of the /24.
fn is_routed(routes: &str, prefix: [u8; 3]) -> bool {
    let subnet = u32::from_be_bytes([prefix[0], prefix[1], prefix[2], 0]);
    routes.lines().skip(1).any(|line| {
        let mut columns = line.split_whitespace().skip(1);
        // In the host's byte order: 0002A8C0 is 192.168.2.0 on the little-endian machines that run containers.
        let mut hexadecimal = |skip| {
            columns
                .nth(skip)
                .and_then(|text| u32::from_str_radix(text, 16).ok())
                .map(u32::swap_bytes)
        };
        let (destination, mask) = (hexadecimal(0), hexadecimal(5));
        let (Some(destination), Some(mask)) = (destination, mask) else {
            return false;
        };
        let common = mask & 0xffff_ff00;
        mask != 0 && destination & common == subnet & common
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        Network {
            name: "test".to_owned(),
            prefix: [10, 213, 4],
            taken: BTreeSet::new(),
            last: 9,
        }
    }

    #[test]
    fn subnets_that_the_host_routes_elsewhere_are_left_alone() {
        let routes = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n\
            eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\n\
            tun0\t0002D50A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n\
            tun1\t8003D50A\t00000000\t0001\t0\t0\t0\t80FFFFFF\t0\n";
        assert!(!is_routed(routes, [10, 213, 1]));
        assert!(is_routed(routes, [10, 213, 2]));
        assert!(is_routed(routes, [10, 213, 3]), "half of it");
        assert!(is_routed(
            "head\ntun0\t0000000A\t0\t1\t0\t0\t0\t000000FF\t0\n",
            [10, 213, 9]
        ));
    }

    #[test]
    fn an_address_that_was_given_back_is_not_the_next_one_given() {
        let mut network = network();
        let first = network.machine(None).unwrap();
        network.release(first);
        assert_ne!(network.machine(None).unwrap(), first);
    }

    #[test]
    fn a_wish_is_granted_inside_the_network_only_and_once() {
        let mut network = network();
        let wished = "10.213.4.77";
        assert_eq!(network.machine(Some(wished)).unwrap().to_string(), wished);
        assert_ne!(network.machine(Some(wished)).unwrap().to_string(), wished);
        let foreign = network.machine(Some("172.31.4.20")).unwrap().to_string();
        assert!(foreign.starts_with("10.213.4."), "{foreign}");
    }

    #[test]
    fn addresses_run_out_with_an_error() {
        let mut network = network();
        for _ in MACHINES {
            network.machine(None).unwrap();
        }
        assert!(matches!(
            network.machine(None),
            Err(ContainersError::NoAddress)
        ));
        assert!(network.database().is_ok());
    }
}
