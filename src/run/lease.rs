//! The lease on an environment: one run at a time may change it.
//!
//! `/goldseed/environments/<environment-id>/lease/<n>` is created once for each holder, renewed by its owner alone,
//! ended by writing `released`, and taken over as *n*+1 only after its expiry and a margin. Who takes it over looks at *n*
//! once more afterwards, and who renews it looks for *n*+1 afterwards: one of the two sees the other. What remains: a process
//! that is stopped between the guard's look and the sending of the request. There Beanstalk's own "must be Ready"
//! serialises, and the watch verifies that the update under way is ours.

mod error;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use error::{LeaseError, wait_for};

use crate::cloud::{CALL_TIMEOUT, Cloud, Guard, Parameter, Put, Tags};
use crate::id::{EnvironmentId, RunId};
use crate::pace;
use crate::record::{Lease, RunRecord, Writer};

/// How long a lease lasts unless it is renewed: four times what a call can take, so that a slow network alone does
/// not lose it.
const TERM: Duration = CALL_TIMEOUT.saturating_mul(4);

/// How much later than its expiry a lease is taken over: clocks differ.
const MARGIN: Duration = Duration::from_mins(1);

/// A lease that this process holds.
#[derive(Debug)]
pub struct Held {
    cloud: Cloud,
    environment: EnvironmentId,
    name: String,
    lease: Lease,
    until: Arc<Mutex<Timestamp>>,
    succeeds: Option<Timestamp>,
}

fn folder(environment: &EnvironmentId) -> String {
    format!("/goldseed/environments/{environment}/lease")
}

/// Returns who holds the environment now, if anybody does.
pub async fn holder(
    cloud: &Cloud,
    environment: &EnvironmentId,
) -> Result<Option<Lease>, LeaseError> {
    let highest = highest(cloud, environment).await?;
    Ok(highest
        .map(|(_, lease)| lease)
        .filter(|lease| is_held(lease, pace::now(), cloud)))
}

/// Gives back the lease that this process took for a run and let fall, an error or an interrupt having ended the work.
pub async fn let_go(
    cloud: &Cloud,
    environment: &EnvironmentId,
    record: &RunRecord,
) -> Result<(), LeaseError> {
    let Some((number, mut lease)) = highest(cloud, environment).await? else {
        return Ok(());
    };
    if lease.writer.nonce != record.writer.nonce || lease.released {
        return Ok(());
    }
    lease.released = true;
    lease.writer.sequence += 1;
    let name = format!("{}/{number}", folder(environment));
    let value = write(&name, &lease)?;
    cloud
        .overwrite_parameter(&name, &value, "goldseed lease")
        .await?;
    Ok(())
}

impl Held {
    /// Takes the lease for a run. A run that held it before, in a process that died, takes it over at once.
    pub async fn acquire(
        cloud: &Cloud,
        environment: &EnvironmentId,
        record: &RunRecord,
    ) -> Result<Self, LeaseError> {
        let run = &record.run;
        let now = pace::now();
        let pages = pages(cloud, environment).await?;
        let (number, before) = match pages.last() {
            None => (0, None),
            Some((number, page)) => (*number, Some(read(page)?)),
        };
        if let Some(lease) = before
            && is_held(&lease, now, cloud)
            && lease.run != *run
        {
            return Err(LeaseError::Held(Box::new(lease)));
        }
        let lease = Lease {
            run: run.clone(),
            who: record.who.clone(),
            since: now,
            until: after(now, term(cloud)),
            released: false,
            // The lease is this process's, as the page of the record is.
            writer: Writer {
                nonce: record.writer.nonce.clone(),
                ..Writer::default()
            },
        };
        let name = format!("{}/{}", folder(environment), number + 1);
        let value = write(&name, &lease)?;
        if cloud
            .create_parameter(&name, &value, "goldseed lease", &Tags::new())
            .await?
            == Put::Exists
        {
            let found = cloud.parameter(&name).await?;
            let found = found.map(|found| read(&found)).transpose()?;
            match found {
                Some(found) if found.writer.nonce == lease.writer.nonce => {}
                Some(found) => return Err(LeaseError::Held(Box::new(found))),
                None => return Err(LeaseError::Lost("it vanished as it was taken".into())),
            }
        }
        let mut held = Self {
            cloud: cloud.clone(),
            environment: environment.clone(),
            name,
            until: Arc::new(Mutex::new(lease.until)),
            lease,
            succeeds: None,
        };
        if number > 0 {
            held.look_back(number, now).await?;
            // Old pages are of no use to anybody, and an account has room for 10,000 parameters; a process may have died
            // before it deleted the one that was its turn.
            for (_, page) in pages.iter().rev().skip(1).rev() {
                cloud.ensure_parameter_deleted(&page.name).await?;
            }
        }
        Ok(held)
    }

    /// Looks once more at the lease before this one: its holder may have renewed it between our look and our page. What
    /// it renews after our page, it finds lost.
    async fn look_back(&mut self, before: u64, now: Timestamp) -> Result<(), LeaseError> {
        let name = format!("{}/{before}", folder(&self.environment));
        let before = self.cloud.parameter(&name).await?;
        let before = before.map(|before| read(&before)).transpose()?;
        let held = before.filter(|before| is_held(before, now, &self.cloud));
        let Some(before) = held else {
            return Ok(());
        };
        if before.run != self.lease.run {
            // Ours must not hide theirs, which may be in use.
            self.cloud.ensure_parameter_deleted(&self.name).await?;
            return Err(LeaseError::Held(Box::new(before)));
        }
        if before.writer.nonce != self.lease.writer.nonce {
            self.succeeds = Some(before.until);
        }
        Ok(())
    }

    /// Returns the run that holds it.
    pub fn run(&self) -> &RunId {
        &self.lease.run
    }

    /// Until when another process of this run, from which the lease was taken, may still send what it has begun; none
    /// if its lease was over.
    pub fn succeeds(&self) -> Option<Timestamp> {
        self.succeeds
    }

    /// Renews the lease if half of it is over; fails when it is not ours any more. A renewal that did not get through
    /// counts for nothing, and the next call tries again.
    pub async fn renew(&mut self) -> Result<(), LeaseError> {
        let now = pace::now();
        let half = after(now, term(&self.cloud) / 2);
        if self.lease.until > half {
            return Ok(());
        }
        self.must_be_ours().await?;
        let mut renewed = self.lease.clone();
        renewed.until = after(now, term(&self.cloud));
        // Every write has a number of its own, one that failed as well: it may have arrived.
        self.lease.writer.sequence += 1;
        renewed.writer.sequence = self.lease.writer.sequence;
        self.put(&renewed).await?;
        // Who took it over since has read either this renewal, or no page after which it counts.
        self.must_be_ours().await?;
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = renewed.until;
        self.lease = renewed;
        Ok(())
    }

    /// Renews the lease for as long as some work takes that changes what it is about.
    pub async fn during<T, E: From<LeaseError>>(
        &mut self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut work = std::pin::pin!(work);
        let pace = self.cloud.pace();
        let pause = term(&self.cloud) / 4;
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = pace.sleep_unscaled(pause) => match self.renew().await {
                    // The term outlives several renewals that do not get through.
                    Err(LeaseError::Cloud(error)) if error.is_transient() => {}
                    renewed => renewed?,
                },
            }
        }
    }

    /// Gives the lease back.
    pub async fn release(mut self) -> Result<(), LeaseError> {
        self.must_be_ours().await?;
        self.lease.released = true;
        self.lease.writer.sequence += 1;
        self.put(&self.lease).await
    }

    /// Returns the guard of calls that change the environment: it holds them back unless the lease outlives them.
    pub fn guard(&self) -> Guard {
        let until = Arc::clone(&self.until);
        let call = self.cloud.pace().scale(CALL_TIMEOUT);
        Guard::new(move || {
            let until = *until.lock().unwrap_or_else(PoisonError::into_inner);
            if after(pace::now(), call) < until {
                Ok(())
            } else {
                Err(format!(
                    "the lease on the environment ends at {until}, before the call would"
                ))
            }
        })
    }

    async fn must_be_ours(&self) -> Result<(), LeaseError> {
        match highest(&self.cloud, &self.environment).await? {
            Some((_, lease)) if lease.writer.nonce == self.lease.writer.nonce => Ok(()),
            Some((_, other)) => Err(LeaseError::Lost(format!(
                "run {} by {} took it over",
                other.run, other.who
            ))),
            None => Err(LeaseError::Lost("its parameter was deleted".into())),
        }
    }

    async fn put(&self, lease: &Lease) -> Result<(), LeaseError> {
        let value = write(&self.name, lease)?;
        self.cloud
            .overwrite_parameter(&self.name, &value, "goldseed lease")
            .await?;
        Ok(())
    }
}

fn term(cloud: &Cloud) -> Duration {
    // However fast the pace, the term leaves time for a call on a busy machine.
    cloud.pace().scale(TERM).max(Duration::from_secs(20))
}

fn is_held(lease: &Lease, now: Timestamp, cloud: &Cloud) -> bool {
    !lease.released && now < after(lease.until, cloud.pace().scale(MARGIN))
}

fn after(time: Timestamp, duration: Duration) -> Timestamp {
    SignedDuration::try_from(duration)
        .ok()
        .and_then(|duration| time.checked_add(duration).ok())
        .unwrap_or(Timestamp::MAX)
}

/// The pages of an environment's lease with their numbers, the highest last.
async fn pages(
    cloud: &Cloud,
    environment: &EnvironmentId,
) -> Result<Vec<(u64, Parameter)>, LeaseError> {
    let pages = cloud.parameters_below(&folder(environment)).await?;
    let mut numbered: Vec<(u64, Parameter)> = pages
        .into_iter()
        .filter_map(|page| Some((page.name.rsplit('/').next()?.parse().ok()?, page)))
        .collect();
    numbered.sort_by_key(|(number, _)| *number);
    Ok(numbered)
}

async fn highest(
    cloud: &Cloud,
    environment: &EnvironmentId,
) -> Result<Option<(u64, Lease)>, LeaseError> {
    let last = pages(cloud, environment).await?.pop();
    last.map(|(number, page)| Ok((number, read(&page)?)))
        .transpose()
}

fn read(parameter: &Parameter) -> Result<Lease, LeaseError> {
    serde_json::from_str(&parameter.value).map_err(|error| LeaseError::Unreadable {
        name: parameter.name.clone(),
        reason: error.to_string(),
    })
}

fn write(name: &str, lease: &Lease) -> Result<String, LeaseError> {
    let text = serde_json::to_string(lease).map_err(|error| LeaseError::Unreadable {
        name: name.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(super::store::without_references(&text))
}
