//! The one state of a sandbox: everything that exists in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::beanstalk::applications::{Application, ApplicationVersion};
use super::beanstalk::behaviour::Behaviour;
use super::beanstalk::environments::Environment;
use super::beanstalk::events::Event;
use super::clock::Clock;
use super::ec2::images::Image;
use super::ec2::instances::{Instance, InstanceState, Machine};
use super::ec2::launch::Reservation;
use super::ec2::network::{SecurityGroup, Subnet};
use super::ec2::routes::WayOut;
use super::ec2::snapshots::Snapshot;
use super::ec2::volumes::Volume;
use super::jobs::Job;
use super::parameters::Parameter;
use super::ssm::commands::Command;
use super::storage::Storage;

/// Everything that exists in a sandbox.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) clock: Clock,
    /// The objects of the storage.
    pub(crate) storage: Arc<Storage>,
    random: fastrand::Rng,
    pub(crate) images: BTreeMap<String, Image>,
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    pub(crate) volumes: BTreeMap<String, Volume>,
    pub(crate) instances: BTreeMap<String, Instance>,
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) security_groups: Vec<SecurityGroup>,
    /// Launches by client token.
    pub(crate) reservations: BTreeMap<String, Reservation>,
    /// Console output, fetched right before it is asked for.
    pub(crate) consoles: BTreeMap<String, String>,
    pub(crate) commands: Vec<Command>,
    pub(crate) parameters: BTreeMap<String, Parameter>,
    pub(crate) applications: BTreeMap<String, Application>,
    pub(crate) versions: Vec<ApplicationVersion>,
    /// By environment id.
    pub(crate) environments: BTreeMap<String, Environment>,
    /// Oldest first.
    pub(crate) events: Vec<Event>,
    pub(crate) behaviours: Vec<(String, Behaviour)>,
    /// The KMS key that new volumes are encrypted with, where the account encrypts by default.
    pub(crate) default_key: Option<String>,
    /// How machines get out of the VPC, as far as it shows.
    pub(crate) way_out: WayOut,
    /// What the machines have to do next.
    pub(crate) jobs: Vec<Job>,
    addresses_given: u32,
}

impl State {
    /// A world with a network, the platform's images and nothing else.
    pub(crate) fn new(region: &str, account: &str, clock: Clock, storage: Arc<Storage>) -> Self {
        let random = match clock {
            // The same ids in the same order, so that two runs of a test can be compared.
            Clock::Polls => fastrand::Rng::with_seed(20_260_301),
            Clock::Paced(_) => fastrand::Rng::new(),
        };
        let mut state = Self {
            region: region.to_owned(),
            account: account.to_owned(),
            clock,
            storage,
            random,
            images: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            volumes: BTreeMap::new(),
            instances: BTreeMap::new(),
            subnets: Subnet::defaults(region),
            security_groups: vec![SecurityGroup::default_group()],
            reservations: BTreeMap::new(),
            consoles: BTreeMap::new(),
            commands: Vec::new(),
            parameters: BTreeMap::new(),
            applications: BTreeMap::new(),
            versions: Vec::new(),
            environments: BTreeMap::new(),
            events: Vec::new(),
            behaviours: Vec::new(),
            default_key: None,
            way_out: WayOut::default(),
            jobs: Vec::new(),
            addresses_given: 0,
        };
        for image in super::beanstalk::platforms::stock_images() {
            let snapshot = Snapshot::of_stock_image(&image);
            state.snapshots.insert(snapshot.id.clone(), snapshot);
            state.images.insert(image.id.clone(), image);
        }
        state
    }

    /// A world for unit tests.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let storage = Arc::new(Storage::new("/nonexistent".into()));
        Self::new("eu-central-1", "123456789012", Clock::Polls, storage)
    }

    /// A new id such as `i-0a1b2c3d4e5f60718`: the prefix and 17 hexadecimal digits.
    pub(crate) fn new_id(&mut self, prefix: &str) -> String {
        format!("{prefix}-0{:016x}", self.random.u64(..))
    }

    /// A new UUID, as request ids and command ids are.
    pub(crate) fn new_uuid(&mut self) -> String {
        uuid(self.random.u128(..))
    }

    /// A few letters and digits, as in `e-abcdefghij`.
    pub(crate) fn new_word(&mut self, length: usize) -> String {
        (0..length).map(|_| self.random.lowercase()).collect()
    }

    /// A private address in the subnet whose third number is `third`.
    pub(crate) fn new_address(&mut self, third: u8) -> String {
        let given = self.addresses_given;
        self.addresses_given = given.wrapping_add(1);
        format!("172.31.{third}.{}", 10 + given % 240)
    }

    /// The instances whose machine is up, and for which no job is under way.
    pub(crate) fn machines_up(&self) -> BTreeSet<String> {
        self.instances
            .values()
            .filter(|instance| {
                instance.state == InstanceState::Running && instance.machine == Machine::Idle
            })
            .map(|instance| instance.id.clone())
            .collect()
    }

    /// The instances that may still have a machine.
    pub(crate) fn machines_left(&self) -> Vec<String> {
        self.instances
            .values()
            .filter(|instance| instance.state != InstanceState::Terminated)
            .map(|instance| instance.id.clone())
            .collect()
    }
}

/// Writes a random number as a UUID of version 4.
pub(crate) fn uuid(random: u128) -> String {
    let bits = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{bits:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_those_of_aws() {
        let mut state = State::for_tests();
        let id = state.new_id("i");
        assert_eq!(id.len(), 19, "{id}");
        let uuid = state.new_uuid();
        assert_eq!((uuid.len(), uuid.as_bytes()[14]), (36, b'4'), "{uuid}");
        assert!(matches!(uuid.as_bytes()[19], b'8'..=b'b'), "{uuid}");
    }
}
