//! A run and its lease under two processes at once: who was taken over finds it, whatever moment it happens in.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use goldseed::cloud::{Cloud, Connection, LocalAws, Tags};
use goldseed::event::Emitter;
use goldseed::id::EnvironmentId;
use goldseed::pace::Pace;
use goldseed::record::{Lease, Verb, Verdict};
use goldseed::run::{Held, LeaseError, NewRun, Run, StoreError, holder, latest};
use goldseed::sandbox::{Fate, Hook, Options, Sandbox};

/// So long one of two waits for the other: far longer than it needs, for a machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// A sandbox with nothing in it, and a connection to it.
struct Place {
    sandbox: Sandbox,
    cloud: Cloud,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(Options::simulated(folder.path()));
        let sandbox = sandbox.await.unwrap();
        let connection = Connection {
            region: Some("eu-central-1".to_owned()),
            local: Some(LocalAws {
                endpoint: sandbox.endpoint(),
                access_key: None,
            }),
            ..Connection::default()
        };
        let cloud = Cloud::connect(connection, Emitter::silent()).await.unwrap();
        Self {
            sandbox,
            cloud,
            _folder: folder,
        }
    }

    /// Another connection, over which a lease has its shortest term.
    async fn hurried(&self) -> Cloud {
        let connection = Connection {
            region: Some("eu-central-1".to_owned()),
            local: Some(LocalAws {
                endpoint: self.sandbox.endpoint(),
                access_key: None,
            }),
            pace: Pace::new(0.001).unwrap(),
            ..Connection::default()
        };
        Cloud::connect(connection, Emitter::silent()).await.unwrap()
    }

    async fn run(&self) -> Run {
        let new = NewRun {
            pipeline: "shop".into(),
            verb: Verb::Build,
            environment: "shop-prod".into(),
            who: "ada@one".into(),
            plan: BTreeMap::new(),
            asked: BTreeMap::new(),
        };
        Run::start(&self.cloud, new).await.unwrap()
    }

    async fn resumed(&self, run: &Run) -> Result<Run, StoreError> {
        Run::resume(&self.cloud, "shop", run.id(), "eve@two").await
    }

    /// Does the work; as soon as it writes this parameter, something else changes before that is served.
    async fn meanwhile<T: Send + 'static>(
        &self,
        name: &str,
        work: Pin<Box<impl Future<Output = T> + Send + 'static>>,
        change: Pin<Box<impl Future<Output = ()>>>,
    ) -> T {
        let name = name.to_owned();
        let (asks, mut asked) = tokio::sync::mpsc::unbounded_channel();
        let (goes, going) = std::sync::mpsc::channel::<()>();
        let going = Mutex::new(going);
        self.sandbox.set_hook(Some(Hook::new(move |request| {
            if request.operation == "PutParameter" && request.parameter("Name") == Some(&name) {
                // It waits until the change is made; so does what is sent again because that took long.
                tokio::task::block_in_place(|| {
                    asks.send(()).ok();
                    going.lock().unwrap().recv_timeout(PATIENCE).ok();
                });
            }
            Fate::Serve
        })));
        let work = tokio::spawn(work);
        let first = tokio::time::timeout(PATIENCE, asked.recv()).await;
        first.expect("it was never asked for").unwrap();
        change.await;
        drop(goes);
        work.await.unwrap()
    }

    async fn put(&self, name: &str, lease: &Lease) {
        let text = serde_json::to_string(lease).unwrap();
        let tags = Tags::new();
        let create = self.cloud.create_parameter(name, &text, "", &tags);
        create.await.unwrap();
    }

    async fn lease(&self, name: &str) -> Lease {
        let found = self.cloud.parameter(name).await.unwrap().unwrap();
        serde_json::from_str(&found.value).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_is_written_by_who_drives_the_run() {
    let place = Place::new().await;
    let mut slow = place.run().await;
    let mut quick = place.resumed(&slow).await.unwrap();
    let late = slow.finish(Verdict::RolledBack).await;
    assert!(
        matches!(late, Err(StoreError::TakenOver { .. })),
        "{late:?}"
    );
    let pages = place.cloud.parameters_below("/goldseed/shop/runs").await;
    for page in pages.unwrap() {
        assert!(!page.value.contains("rolled"), "{page:?}");
    }
    quick.finish(Verdict::Done).await.unwrap();
    let record = latest(&place.cloud, "shop", slow.id()).await.unwrap();
    assert_eq!(record.verdict, Some(Verdict::Done));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_ended_is_not_taken_over() {
    let place = Place::new().await;
    let mut run = place.run().await;
    run.finish(Verdict::Done).await.unwrap();
    let again = place.resumed(&run).await;
    assert!(matches!(again, Err(StoreError::Ended { .. })), "{again:?}");
    let pages = place.cloud.parameters_below("/goldseed/shop/runs").await;
    assert_eq!(pages.unwrap().len(), 1);

    // It ends while it is taken over.
    let mut run = place.run().await;
    let page = format!("/goldseed/shop/runs/{}/2", run.id());
    let copy = place.cloud.clone();
    let id = run.id().clone();
    let taking = Box::pin(async move { Run::resume(&copy, "shop", &id, "eve@two").await });
    let ending = Box::pin(async { run.finish(Verdict::Done).await.unwrap() });
    let taken = place.meanwhile(&page, taking, ending).await;
    assert!(matches!(taken, Err(StoreError::Ended { .. })), "{taken:?}");
    let record = latest(&place.cloud, "shop", run.id()).await.unwrap();
    assert_eq!(record.verdict, Some(Verdict::Done));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_was_renewed_in_this_moment_is_not_taken_over() {
    let place = Place::new().await;
    let environment = EnvironmentId::new("e-1");
    let name = |number: u32| format!("/goldseed/environments/e-1/lease/{number}");
    let run = place.run().await;
    drop(
        Held::acquire(&place.cloud, &environment, run.record())
            .await
            .unwrap(),
    );
    let renewed = place.lease(&name(1)).await;
    let mut over = renewed.clone();
    over.until = over.since - Duration::from_hours(1);
    place
        .cloud
        .ensure_parameter_deleted(&name(1))
        .await
        .unwrap();
    place.put(&name(1), &over).await;

    let other = place.run().await;
    let (copy, of, record) = (
        place.cloud.clone(),
        environment.clone(),
        other.record().clone(),
    );
    let taking = Box::pin(async move { Held::acquire(&copy, &of, &record).await });
    let text = serde_json::to_string(&renewed).unwrap();
    let first = name(1);
    let renewing = Box::pin(async {
        let renewal = place.cloud.overwrite_parameter(&first, &text, "");
        renewal.await.unwrap();
    });
    let taken = place.meanwhile(&name(2), taking, renewing).await;
    assert!(matches!(taken, Err(LeaseError::Held(_))), "{taken:?}");
    let holds = holder(&place.cloud, &environment).await.unwrap().unwrap();
    assert_eq!(&holds.run, run.id());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_does_not_get_through_is_made_at_the_next_look() {
    let place = Place::new().await;
    let environment = EnvironmentId::new("e-1");
    let run = place.run().await;
    let hurried = place.hurried().await;
    let mut held = Held::acquire(&hurried, &environment, run.record())
        .await
        .unwrap();
    let name = "/goldseed/environments/e-1/lease/1";
    let taken = place.lease(name).await;

    // The first renewal is refused; of the second the look after it.
    let writes = Arc::new(AtomicUsize::new(0));
    let (counted, looks_refused) = (Arc::clone(&writes), AtomicBool::new(false));
    place.sandbox.set_hook(Some(Hook::new(move |request| {
        let refused = Fate::refused("AccessDeniedException", "not now");
        match request.operation.as_str() {
            "PutParameter" => match counted.fetch_add(1, Ordering::SeqCst) {
                0 => refused,
                _ => Fate::Serve,
            },
            "GetParametersByPath"
                if counted.load(Ordering::SeqCst) == 2
                    && !looks_refused.swap(true, Ordering::SeqCst) =>
            {
                refused
            }
            _ => Fate::Serve,
        }
    })));
    let until = Instant::now() + Duration::from_mins(1);
    // It is renewed once half of its term, which is twenty seconds at least, is over.
    while held.renew().await.is_ok() {
        assert!(Instant::now() < until, "it was never renewed");
        let scaled = hurried.pace();
        scaled.sleep_unscaled(Duration::from_millis(50)).await;
    }
    assert!(place.lease(name).await.until == taken.until);
    held.renew().await.unwrap_err();
    held.renew().await.unwrap();
    assert_eq!(writes.load(Ordering::SeqCst), 3, "renewals");
    assert!(place.lease(name).await.until > taken.until);
    held.renew().await.unwrap();
    assert_eq!(writes.load(Ordering::SeqCst), 3, "it was renewed too soon");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_taken_over_while_it_is_renewed_is_lost() {
    let place = Place::new().await;
    let environment = EnvironmentId::new("e-1");
    let name = |number: u32| format!("/goldseed/environments/e-1/lease/{number}");
    let run = place.run().await;
    let hurried = place.hurried().await;
    let mut held = Held::acquire(&hurried, &environment, run.record())
        .await
        .unwrap();
    let mut others = place.lease(&name(1)).await;
    others.writer.nonce = "another".into();
    let renewing = Box::pin(async move {
        // It is renewed once half of its term, which is twenty seconds at least, is over.
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            match held.renew().await {
                Ok(()) if Instant::now() < until => {
                    let scaled = hurried.pace();
                    scaled.sleep_unscaled(Duration::from_millis(50)).await;
                }
                other => return other,
            }
        }
    });
    let second = name(2);
    let taking = Box::pin(place.put(&second, &others));
    let renewed = place.meanwhile(&name(1), renewing, taking).await;
    assert!(matches!(renewed, Err(LeaseError::Lost(_))), "{renewed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_lease_deletes_all_that_is_left_of_older_ones() {
    let place = Place::new().await;
    let environment = EnvironmentId::new("e-1");
    let folder = "/goldseed/environments/e-1/lease";
    let run = place.run().await;
    let held = Held::acquire(&place.cloud, &environment, run.record()).await;
    held.unwrap().release().await.unwrap();
    let released = place.lease(&format!("{folder}/1")).await;
    // Processes that died before they deleted theirs.
    for number in [2, 4, 6, 10] {
        place.put(&format!("{folder}/{number}"), &released).await;
    }
    let held = Held::acquire(&place.cloud, &environment, run.record()).await;
    held.unwrap();
    let left = place.cloud.parameters_below(folder).await.unwrap();
    let mut left: Vec<String> = left.into_iter().map(|one| one.name).collect();
    left.sort();
    assert_eq!(left, [format!("{folder}/10"), format!("{folder}/11")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_is_written_again_while_a_step_takes_long() {
    let place = Place::new().await;
    let hurried = place.hurried().await;
    let run = place.run().await;
    let mut run = Run::resume(&hurried, "shop", run.id(), "ada@one")
        .await
        .unwrap();
    let id = run.id().clone();
    let unfinished = async || {
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            let record = latest(&hurried, "shop", &id).await?;
            // The step was not announced: nothing else writes of it before its end.
            if record.unfinished().is_some() {
                return Ok::<_, StoreError>(String::from("seen"));
            }
            assert!(Instant::now() < until, "it was never written again");
            let scaled = hurried.pace();
            scaled.sleep_unscaled(Duration::from_millis(50)).await;
        }
    };
    run.step("apply/recipes", "apply", unfinished)
        .await
        .unwrap();
    let record = latest(&place.cloud, "shop", run.id()).await.unwrap();
    assert!(record.is_done("apply/recipes"), "{record:?}");
}
