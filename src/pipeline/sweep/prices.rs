//! What leftovers cost a month: an estimate for people, so that they know whether it matters.
//!
//! List prices of us-east-1 in US dollars, from AWS's public price lists of 2025 (EC2 on-demand Linux; EBS gp3 and
//! standard snapshots). Other regions cost up to half as much again, and a snapshot is billed for what it holds and not
//! for its volume's size: "about".

/// Hours a month, as AWS counts them.
const HOURS: f64 = 730.0;
/// A GiB of a gp3 volume a month.
const VOLUME: f64 = 0.08;
/// A GiB of a snapshot a month.
const SNAPSHOT: f64 = 0.05;

/// Instance types that seeds mostly have, and their price an hour.
const TYPES: [(&str, f64); 30] = [
    ("t3.nano", 0.0052),
    ("t3.micro", 0.0104),
    ("t3.small", 0.0208),
    ("t3.medium", 0.0416),
    ("t3.large", 0.0832),
    ("t3.xlarge", 0.1664),
    ("t3.2xlarge", 0.3328),
    ("t3a.micro", 0.0094),
    ("t3a.small", 0.0188),
    ("t3a.medium", 0.0376),
    ("t3a.large", 0.0752),
    ("t4g.nano", 0.0042),
    ("t4g.micro", 0.0084),
    ("t4g.small", 0.0168),
    ("t4g.medium", 0.0336),
    ("t4g.large", 0.0672),
    ("t4g.xlarge", 0.1344),
    ("m5.large", 0.096),
    ("m5.xlarge", 0.192),
    ("m6i.large", 0.096),
    ("m6i.xlarge", 0.192),
    ("m6g.large", 0.077),
    ("m7g.large", 0.0816),
    ("m7i.large", 0.1008),
    ("c5.large", 0.085),
    ("c6i.large", 0.085),
    ("c6g.large", 0.068),
    ("c7g.large", 0.0725),
    ("r5.large", 0.126),
    ("r6g.large", 0.1008),
];

/// What an instance costs a month with its root volume, of whose size in GiB the image tells; none: the price of its
/// type, or the size, is not known here. One that is stopped costs its volume alone.
pub(super) fn instance(instance_type: &str, running: bool, root: Option<i32>) -> Option<f64> {
    let hourly = if running {
        let (_, price) = TYPES.iter().find(|(name, _)| *name == instance_type)?;
        *price
    } else {
        0.0
    };
    Some(hourly * HOURS + f64::from(root?) * VOLUME)
}

/// What snapshots of so many GiB together cost a month at most.
pub(super) fn snapshots(size: i32) -> f64 {
    f64::from(size) * SNAPSHOT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(one: Option<f64>, other: f64) -> bool {
        one.is_some_and(|one| (one - other).abs() < 0.005)
    }

    #[test]
    fn a_running_machine_costs_its_hours_and_its_volume() {
        assert!(near(instance("t3.small", true, Some(10)), 15.984));
        assert!(near(instance("t3.small", false, Some(10)), 0.8));
        assert!(near(Some(snapshots(10)), 0.5));
    }

    #[test]
    fn what_is_not_in_the_table_has_no_price() {
        assert_eq!(instance("x9.huge", true, Some(10)), None);
        assert_eq!(instance("t3.small", true, None), None);
        assert!(near(instance("x9.huge", false, Some(10)), 0.8));
    }
}
