//! Machines for real: these tests need what `scripts/setup` makes, and say so where it is missing.
//!
//! They share one world, behind one lock, as each machine is a whole system on two cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;

use super::super::super::clock;
use super::*;

/// One test at a time.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
const STOCK: &str = "ami-0platform0php0000";
/// How long anything may take that is to come to its end, on a busy machine too.
const PATIENCE: Duration = Duration::from_mins(10);

/// What the metadata service of a test knows, and what it was told.
#[derive(Default)]
struct Service {
    user_data: Mutex<HashMap<String, String>>,
    bundle: Mutex<Vec<u8>>,
    /// Instance, query and body of the signals, in the order in which they came.
    signals: Mutex<Vec<(String, String, String)>>,
    tokens: AtomicUsize,
}

impl Service {
    fn server(self: &Arc<Self>) -> NodeServer {
        let service = self.clone();
        Arc::new(move |instance_id, stream| {
            let service = service.clone();
            tokio::spawn(async move {
                let answer = service_fn(move |request: Request<Incoming>| {
                    let (service, instance_id) = (service.clone(), instance_id.clone());
                    async move { service.answer(&instance_id, request).await }
                });
                // A machine that is killed breaks its connections.
                drop(
                    http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer)
                        .await,
                );
            });
        })
    }

    async fn answer(
        &self,
        instance_id: &str,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let (_, below) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
        let text = match (request.method(), below) {
            (&Method::PUT, "api/token") => {
                self.tokens.fetch_add(1, Ordering::Relaxed);
                Some("token".to_owned())
            }
            (_, "meta-data/") => Some("ami-id\ninstance-id\nlocal-hostname\nplacement/".to_owned()),
            (_, "meta-data/instance-id") => Some(instance_id.to_owned()),
            (_, "meta-data/placement/") => Some("availability-zone".to_owned()),
            (_, "meta-data/placement/availability-zone") => Some("eu-central-1a".to_owned()),
            (_, "meta-data/ami-id") => Some(STOCK.to_owned()),
            (_, "meta-data/local-hostname") => Some("ip-10-0-0-1.internal".to_owned()),
            (_, "user-data") => lock(&self.user_data).get(instance_id).cloned(),
            _ => None,
        };
        if let Some(text) = text {
            return Ok(Response::new(Full::from(text)));
        }
        match path.as_str() {
            "/_beanstalk/metadata" => Ok(Response::new(Full::from(
                serde_json::json!({
                    "stack_id": "stack-1", "region": "eu-central-1", "environment_id": "e-shop",
                    "environment_name": "shop-prod", "application_name": "shop",
                    "version_label": "v1", "deployment_id": 1, "document_root": "/public",
                    "bundle": { "bucket": "bundles", "key": "shop/v1.zip" },
                    "environment": { "GREETING": "good morning" },
                })
                .to_string(),
            ))),
            "/bundles/shop/v1.zip" => Ok(Response::new(Full::from(lock(&self.bundle).clone()))),
            "/_beanstalk/signal" => {
                let body = request.into_body().collect().await?.to_bytes();
                lock(&self.signals).push((
                    instance_id.to_owned(),
                    query,
                    String::from_utf8_lossy(&body).into_owned(),
                ));
                Ok(Response::new(Full::default()))
            }
            _ => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = hyper::StatusCode::NOT_FOUND;
                Ok(response)
            }
        }
    }
}

/// A world of machines for one test.
struct World {
    machines: Containers,
    service: Arc<Service>,
    _turn: tokio::sync::MutexGuard<'static, ()>,
}

impl World {
    async fn open() -> Self {
        let turn = TURN.lock().await;
        let service = Arc::new(Service::default());
        // The same folder each time, so that what a test that failed left behind goes with the next one.
        let checkout = short_digest(Path::new(env!("CARGO_MANIFEST_DIR")));
        let options = ContainersOptions {
            state: std::env::temp_dir().join(format!("goldseed-machines-{checkout}")),
            kept: KEPT.into(),
            stock: HashMap::from([(STOCK.to_owned(), PLATFORM_PHP.to_owned())]),
        };
        let machines = match Containers::open(options, service.server()).await {
            Ok(machines) => machines,
            Err(error) => panic!("no real machines here: {}", MachineError::from(error)),
        };
        Self {
            machines,
            service,
            _turn: turn,
        }
    }

    async fn launch(&self, instance_id: &str, image_id: &str, user_data: &str) -> IpAddr {
        lock(&self.service.user_data).insert(instance_id.to_owned(), user_data.to_owned());
        let spec = LaunchSpec {
            instance_id: instance_id.to_owned(),
            image_id: image_id.to_owned(),
            region: "eu-central-1".to_owned(),
            private_ip: None,
        };
        let launched = self.machines.launch(spec).await.unwrap();
        launched.address.unwrap()
    }

    /// Waits until the machine's agent answers and cloud-init is through.
    async fn booted(&self, instance_id: &str) {
        self.until("the agent answers", async || {
            self.machines.agent_answers(instance_id).await
        })
        .await;
        self.shell(
            instance_id,
            "cloud-init status --wait >/dev/null; systemctl is-system-running --wait",
        )
        .await;
    }

    async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let started = Instant::now();
        while !holds().await {
            assert!(started.elapsed() < PATIENCE, "never: {what}");
            clock::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn run(&self, instance_id: &str, script: &str, timeout: Duration) -> CommandOutcome {
        static COMMANDS: AtomicUsize = AtomicUsize::new(0);
        let command = RunCommand {
            command_id: format!("command-{}", COMMANDS.fetch_add(1, Ordering::Relaxed)),
            script: script.to_owned(),
            working_directory: None,
            timeout,
        };
        self.machines
            .run_command(instance_id, command)
            .await
            .unwrap()
    }

    /// Runs a script to its end and returns its output.
    async fn shell(&self, instance_id: &str, script: &str) -> String {
        let outcome = self.run(instance_id, script, PATIENCE).await;
        assert!(!outcome.timed_out, "{script}: {outcome:?}");
        outcome.stdout.trim().to_owned()
    }

    async fn close(self) {
        self.machines.close().await.unwrap();
    }
}

const IDENTITY: &str = "cat /etc/machine-id; cat /etc/ssh/ssh_host_ed25519_key.pub; \
    cat /var/lib/amazon/ssm/Vault/Store/public-key";

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_boots_runs_its_user_data_once_and_keeps_its_disk_over_a_stop() {
    let world = World::open().await;
    let user_data = "#!/bin/sh\necho ran >>/root/user-data\nenv >/root/environment\n";
    let address = world.launch("i-01", STOCK, user_data).await;
    world.booted("i-01").await;
    assert_eq!(world.shell("i-01", "cat /root/user-data").await, "ran");
    assert!(
        world.service.tokens.load(Ordering::Relaxed) > 0,
        "the agent asks with a token"
    );
    let environment = world.shell("i-01", "cat /root/environment").await;
    assert!(
        environment.contains("AWS_ENDPOINT_URL=http://169.254.169.254"),
        "{environment}"
    );
    assert_eq!(
        world
            .shell("i-01", "systemctl --failed --plain --no-legend")
            .await,
        ""
    );
    let stock = "systemctl is-enabled nginx php-fpm amazon-ssm-agent cron; ls /etc/systemd/system";
    let stock = world.shell("i-01", stock).await;
    assert!(
        stock.starts_with("disabled\nalias\nenabled\nenabled\n"),
        "{stock}"
    );
    assert!(!stock.contains("aws-eb.target"), "{stock}");

    let identity = world.shell("i-01", IDENTITY).await;
    world
        .shell("i-01", "cat >/etc/systemd/system/last.service <<'UNIT'\n\
            [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecStop=/bin/touch /root/shut-down\n\
            [Install]\nWantedBy=multi-user.target\nUNIT\nsystemctl enable --now last.service")
        .await;
    world.machines.stop("i-01").await.unwrap();
    assert!(!world.machines.agent_answers("i-01").await);
    let again = world.machines.start("i-01").await.unwrap();
    assert_eq!(again.address, Some(address));
    world.booted("i-01").await;
    assert_eq!(
        world.shell("i-01", "ls /root/shut-down").await,
        "/root/shut-down"
    );
    assert_eq!(
        world.shell("i-01", "cat /root/user-data").await,
        "ran",
        "once"
    );
    assert_eq!(world.shell("i-01", IDENTITY).await, identity);

    world.machines.capture("i-01", "ami-01").await.unwrap();
    world
        .launch("i-02", "ami-01", "#!/bin/sh\necho ran >>/root/user-data\n")
        .await;
    world.booted("i-02").await;
    let machine_id = "cat /etc/machine-id";
    assert_eq!(
        world.shell("i-02", machine_id).await,
        world.shell("i-01", machine_id).await,
        "a raw image carries the identity"
    );
    assert_eq!(
        world.shell("i-02", "cat /root/user-data").await,
        "ran\nran",
        "a new instance"
    );
    let units = world
        .shell("i-02", "grep -rl goldseed /etc /usr/lib/systemd | head")
        .await;
    assert!(!units.contains("sandbox-metadata"), "{units}");

    world.machines.terminate("i-01").await.unwrap();
    world.machines.discard("ami-01").await.unwrap();
    assert_eq!(world.shell("i-02", "echo alive").await, "alive");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_owns_the_files_that_tell_names_and_addresses() {
    let world = World::open().await;
    let address = world.launch("i-11", STOCK, "").await;
    world.booted("i-11").await;
    // As whatever replaces a file does it.
    let edit = "for file in hosts hostname resolv.conf; do cp -p /etc/$file /etc/$file.new && \
        mv -f /etc/$file.new /etc/$file || exit 1; done; echo '192.0.2.9 db.example' >>/etc/hosts; \
        stat -c %a /etc/hosts /etc/hostname /etc/resolv.conf; grep -q ^nameserver /etc/resolv.conf";
    let edited = world.run("i-11", edit, PATIENCE).await;
    assert_eq!(
        (edited.code, edited.stdout.as_str()),
        (0, "644\n644\n644\n"),
        "{edited:?}"
    );
    let names = "for name in db.example localhost \"$(hostname)\"; do getent ahostsv4 $name | sed -n '1s/ .*//p'; done; \
        cat /etc/hostname";
    let told = |address: IpAddr| {
        let name = format!("ip-{}", address.to_string().replace('.', "-"));
        format!("192.0.2.9\n127.0.0.1\n{address}\n{name}")
    };
    assert_eq!(world.shell("i-11", names).await, told(address));
    world.machines.stop("i-11").await.unwrap();
    world.machines.start("i-11").await.unwrap();
    world.booted("i-11").await;
    assert_eq!(world.shell("i-11", names).await, told(address));

    world.machines.capture("i-11", "ami-11").await.unwrap();
    let other = world.launch("i-12", "ami-11", "").await;
    world.booted("i-12").await;
    assert_ne!(other, address);
    assert_eq!(world.shell("i-12", names).await, told(other));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sandbox_that_died_left_is_gone_when_the_next_one_starts() {
    let world = World::open().await;
    let folder = world.machines.create_file_system("fs-0fff").unwrap();
    world.launch("i-09", STOCK, "").await;
    world.machines.capture("i-09", "ami-09").await.unwrap();
    let engine = world.machines.inner.engine.clone();
    let made = [
        world.machines.container("i-09"),
        world.machines.image_reference("ami-09"),
    ];
    drop(world);

    let world = World::open().await;
    for name in made {
        assert!(engine.run(["inspect", &name]).await.is_err(), "{name}");
    }
    assert!(!folder.exists());
    let unknown = world.machines.stop("i-09").await.unwrap_err().to_string();
    assert_eq!(unknown, "there is no machine i-09");
    // The names are free again.
    world.launch("i-09", STOCK, "").await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_run_as_the_agent_runs_them() {
    let world = World::open().await;
    world.launch("i-03", STOCK, "").await;
    world.booted("i-03").await;

    let outcome = world
        .run(
            "i-03",
            "echo \"$HOME|$0\"; id -u; env | sort; echo bad >&2; exit 7",
            PATIENCE,
        )
        .await;
    assert_eq!((outcome.code, outcome.stderr.as_str()), (7, "bad\n"));
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert!(
        lines[0].starts_with("|/var/lib/amazon/ssm/i-03/document/orchestration/"),
        "{lines:?}"
    );
    assert_eq!(lines[1], "0");
    assert!(lines.contains(&"AWS_SSM_INSTANCE_ID=i-03"), "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.starts_with("LANG")),
        "{lines:?}"
    );

    let outcome = world
        .run(
            "i-03",
            "#!/usr/bin/perl\nprint 'perl'; kill 'KILL', $$;",
            PATIENCE,
        )
        .await;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (-1, ""));
    let outcome = world.run("i-03", "kill -KILL $$", PATIENCE).await;
    assert_eq!(
        outcome.code, -1,
        "a shell that was killed has no exit status"
    );
    let outcome = world.run("i-03", "exit 137", PATIENCE).await;
    assert_eq!((outcome.code, outcome.timed_out), (137, false));

    // The command is over when its outputs are closed, not when the shell is.
    let started = Instant::now();
    world.run("i-03", "sleep 3 & echo left", PATIENCE).await;
    assert!(started.elapsed() >= Duration::from_secs(3));
    let outcome = world
        .run(
            "i-03",
            "sleep 900 & echo $!; sleep 900",
            Duration::from_secs(1),
        )
        .await;
    assert_eq!((outcome.code, outcome.timed_out), (137, true));
    let killed = format!(
        "kill -0 {} 2>/dev/null && echo there || echo gone",
        outcome.stdout.trim()
    );
    assert_eq!(
        world.shell("i-03", &killed).await,
        "gone",
        "its whole group"
    );

    let command = RunCommand {
        command_id: "to-cancel".to_owned(),
        script: "touch /run/begun; sleep 900".to_owned(),
        working_directory: Some("/tmp".to_owned()),
        timeout: PATIENCE,
    };
    let running = tokio::spawn({
        let machines = world.machines.clone();
        async move { machines.run_command("i-03", command).await }
    });
    world
        .until("it began", async || {
            !world.shell("i-03", "ls /run/begun").await.is_empty()
        })
        .await;
    world.machines.cancel_command("i-03", "to-cancel").await;
    assert!(running.await.unwrap().unwrap().cancelled);

    // What recipes install comes from the host, without a network.
    let install = "export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && apt-get install -qq -y \
        wordpress wordpress-theme-twentytwentythree >/dev/null && ls /usr/share/wordpress/wp-load.php";
    assert_eq!(
        world.shell("i-03", install).await,
        "/usr/share/wordpress/wp-load.php"
    );
    assert_eq!(
        world.shell("i-03", "dpkg -l | grep -c apache2-bin").await,
        "0"
    );
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_share_file_systems_and_databases() {
    let world = World::open().await;
    world
        .machines
        .create_file_system("fs-0123456789abcdef0")
        .unwrap();
    let database = world
        .machines
        .start_database("shop", "Secret2Word")
        .await
        .unwrap();
    world.launch("i-04", STOCK, "").await;
    world.launch("i-05", STOCK, "").await;
    world.booted("i-04").await;
    world.booted("i-05").await;

    let fstab = "mkdir -p /mnt/shop && echo 'fs-0123456789abcdef0:/ /mnt/shop efs _netdev,nofail,tls,iam 0 0' >>/etc/fstab \
        && systemctl daemon-reload && mount -a && mountpoint /mnt/shop && echo hello >/mnt/shop/file";
    assert_eq!(
        world.shell("i-04", fstab).await,
        "/mnt/shop is a mountpoint"
    );
    let nfs = "mkdir -p /mnt/shop && mount -t nfs4 -o nfsvers=4.1,hard,noresvport \
        fs-0123456789abcdef0.efs.eu-central-1.amazonaws.com:/ /mnt/shop && cat /mnt/shop/file";
    assert_eq!(world.shell("i-05", nfs).await, "hello");
    let unknown = world
        .run("i-05", "mount -t efs fs-0fff:/ /mnt", PATIENCE)
        .await;
    assert_eq!(unknown.code, 1);
    assert!(
        unknown
            .stderr
            .contains("check that your file system ID is correct"),
        "{}",
        unknown.stderr
    );

    // The mount comes back by itself, before the agent answers, and is not in an image.
    world.machines.stop("i-04").await.unwrap();
    world.machines.start("i-04").await.unwrap();
    world.booted("i-04").await;
    assert_eq!(
        world
            .shell("i-04", "cat /mnt/shop/file; findmnt -n -o TARGET /mnt/shop")
            .await,
        "hello\n/mnt/shop"
    );
    assert_eq!(
        world
            .shell("i-04", "umount /mnt/shop; ls -A /mnt/shop")
            .await,
        ""
    );

    let query = format!("mariadb --host={database} --user=admin --password=Secret2Word --execute");
    world.shell("i-04", &format!("{query} 'CREATE DATABASE shop; CREATE TABLE shop.t (n INT); INSERT INTO shop.t VALUES (42)'")).await;
    let seen = world
        .shell(
            "i-05",
            &format!("{query} 'SELECT n FROM shop.t' --skip-column-names"),
        )
        .await;
    assert_eq!(seen, "42");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_deployed_to_and_its_clone_never_joins() {
    let world = World::open().await;
    *lock(&world.service.bundle) = bundle(&[
        (
            "public/index.php",
            "<?php echo getenv('GREETING'), ' from ', file_get_contents('../made');",
        ),
        (
            ".platform/hooks/predeploy/10-make.sh",
            "#!/bin/sh\necho \"$GREETING in $PWD\"\nhostname >made\n",
        ),
        (
            ".platform/hooks/postdeploy/10-after.sh",
            "#!/bin/sh\ntouch /root/after\n",
        ),
        (
            ".platform/nginx/conf.d/elasticbeanstalk/10-health.conf",
            "location = /health { return 200 ok; }\n",
        ),
    ]);
    let user_data = |stack: &str| {
        format!(
            "#!/bin/bash\n/opt/elasticbeanstalk/bootstrap {stack} http://169.254.169.254/_beanstalk/signal\n"
        )
    };
    let signals = || lock(&world.service.signals).clone();
    let address = world.launch("i-06", STOCK, &user_data("stack-1")).await;
    world
        .until("a signal", async || !signals().is_empty())
        .await;
    let (instance, query, log) = signals().remove(0);
    assert_eq!(instance, "i-06");
    assert!(
        query.starts_with("stack=stack-1&status=SUCCESS&"),
        "{query}\n{log}"
    );
    assert!(log.contains("FlipApplication"), "{log}");
    let web = |path: &'static str| {
        let url = format!("curl --silent --fail http://{address}{path}");
        async move { url }
    };
    let home = web("/").await;
    let hostname = world.shell("i-06", "hostname").await;
    assert_eq!(
        world.shell("i-06", &home).await,
        format!("good morning from {hostname}")
    );
    let health = web("/health").await;
    assert_eq!(world.shell("i-06", &health).await, "ok");
    assert_eq!(
        world
            .shell(
                "i-06",
                "ls /root/after; systemctl is-active healthd cfn-hup eb-app.target"
            )
            .await,
        "/root/after\nactive\nactive\nactive"
    );

    // The same machine after a reboot serves again.
    world.booted("i-06").await;
    world.machines.stop("i-06").await.unwrap();
    world.machines.start("i-06").await.unwrap();
    world.booted("i-06").await;
    assert_eq!(
        world.shell("i-06", &home).await,
        format!("good morning from {hostname}")
    );

    // A clone with the marker takes itself for a member of the old stack, whatever it is told.
    world.machines.capture("i-06", "ami-06").await.unwrap();
    world.launch("i-07", "ami-06", &user_data("stack-2")).await;
    world
        .until("a signal of the clone", async || signals().len() == 2)
        .await;
    let (instance, query, _) = signals().remove(1);
    assert_eq!(
        (instance.as_str(), query.starts_with("stack=stack-1&")),
        ("i-07", true),
        "{query}"
    );

    // Without the marker it is a new machine, and a hook that fails is told.
    *lock(&world.service.bundle) = bundle(&[(
        ".platform/hooks/predeploy/no.sh",
        "#!/bin/sh\necho never; exit 3\n",
    )]);
    let identity = world.shell("i-07", IDENTITY).await;
    let generalise = "rm -rf /opt/elasticbeanstalk/.aws-eb-system-bootstrapped \
        /opt/elasticbeanstalk/config/ebenvinfo /etc/ssh/ssh_host_* /var/lib/cloud/* /var/lib/amazon/ssm/Vault; \
        : >/etc/machine-id";
    world.shell("i-07", generalise).await;
    world.machines.stop("i-07").await.unwrap();
    world.machines.capture("i-07", "ami-07").await.unwrap();
    world.launch("i-08", "ami-07", &user_data("stack-2")).await;
    world
        .until("a signal of the new one", async || signals().len() == 3)
        .await;
    let (_, query, log) = signals().remove(2);
    assert!(
        query.starts_with("stack=stack-2&status=FAILURE&"),
        "{query}"
    );
    assert!(
        query.contains("no.sh") && log.contains("never"),
        "{query}\n{log}"
    );
    world.booted("i-08").await;
    let fresh = world.shell("i-08", IDENTITY).await;
    for (old, new) in identity.lines().zip(fresh.lines()) {
        assert!(old != new || old.starts_with("-----"), "{old}");
    }
    world.close().await;
}

/// A bundle as it is uploaded: a zip file.
fn bundle(files: &[(&str, &str)]) -> Vec<u8> {
    use std::io::Write as _;

    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}
