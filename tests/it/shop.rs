//! The whole job on real machines: WordPress on the local AWS, rebuilt, changed, rolled back. One world for all of it,
//! because machines are dear: the parts are told one after the other.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_elasticbeanstalk::types::{ConfigurationOptionSetting, EnvironmentStatus};
use goldseed::sandbox::{MachineKind, Options, Sandbox};

use super::machines::{PATIENCE, folder};

/// How much faster than AWS.
const PACE: &str = "0.05";

/// The namespaces of the document root and of the balancer's health check.
const PHP: &str = "aws:elasticbeanstalk:container:php:phpini";
const PROCESS: &str = "aws:elasticbeanstalk:environment:process:default";

struct Shop {
    sandbox: Sandbox,
    project: PathBuf,
    beanstalk: aws_sdk_elasticbeanstalk::Client,
    ec2: aws_sdk_ec2::Client,
    ssm: aws_sdk_ssm::Client,
}

macro_rules! client {
    ($service:ident, $sandbox:expr) => {{
        let (key_id, secret) = $sandbox.access_key().unwrap();
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("eu-central-1"))
                .endpoint_url($sandbox.endpoint())
                .credentials_provider(Credentials::new(key_id, secret, None, None, "test"))
                .build(),
        )
    }};
}

impl Shop {
    async fn open() -> Self {
        let folder = folder("shop");
        let options = Options {
            machines: MachineKind::Containers,
            pace: PACE.parse().unwrap(),
            ..Options::simulated(folder.join("state"))
        };
        let sandbox = Sandbox::start(options)
            .await
            .unwrap_or_else(|error| panic!("{}", chain(&error)));
        let project = folder.join("project");
        fs_err::create_dir_all(project.join("recipes")).unwrap();
        let shop = Self {
            beanstalk: client!(aws_sdk_elasticbeanstalk, &sandbox),
            ec2: client!(aws_sdk_ec2, &sandbox),
            ssm: client!(aws_sdk_ssm, &sandbox),
            sandbox,
            project,
        };
        let bundle = shop.goldseed(&["bridge", "--replace-deployed"]).await.0;
        assert!(bundle, "the bridge is written");
        let bundle = fs_err::read(shop.project.join("bridge.zip")).unwrap();
        let world = shop.sandbox.make_demo(bundle).await.unwrap();
        let settings = format!(
            "\
goldseed: 1
account: \"123456789012\"
region: eu-central-1
pipelines:
  shop:
    environment: shop-prod
    seed: {{instance-profile: goldseed-seed}}
    recipes:
      - bridge
      - mount-efs: {{file_system: fs-0a1b2c3d4e5f60718}}
      - configure-db: {{host: {}, name: shop, user: admin, password: \"ssm:/shop/database-password\"}}
      - install-wordpress: {{title: The Shop, admin_email: admin@shop.example}}
      - banner
    watch: {{soak: 1m, good: 3, of: 4, deadline: 2h}}
",
            world.database
        );
        fs_err::write(shop.project.join("goldseed.yaml"), settings).unwrap();
        shop
    }

    /// Runs the binary; whether it succeeded, and all that it said.
    async fn goldseed(&self, arguments: &[&str]) -> (bool, String) {
        let (key_id, secret) = self.sandbox.access_key().unwrap();
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_goldseed"))
            .args(arguments)
            .current_dir(&self.project)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("AWS_ENDPOINT_URL", self.sandbox.endpoint())
            .env("AWS_ACCESS_KEY_ID", key_id)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("GOLDSEED_PACE", PACE)
            .output()
            .await
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    async fn must(&self, arguments: &[&str]) -> String {
        let (success, said) = self.goldseed(arguments).await;
        assert!(success, "goldseed {arguments:?}:\n{said}");
        said
    }

    /// Waits until the environment is ready and well, and returns where it answers.
    async fn well(&self) -> String {
        let since = Instant::now();
        loop {
            let answer = self.beanstalk.describe_environments().send().await.unwrap();
            let environment = &answer.environments()[0];
            let health = environment
                .health_status()
                .map(aws_sdk_elasticbeanstalk::types::EnvironmentHealthStatus::as_str);
            if environment.status() == Some(&EnvironmentStatus::Ready) && health == Some("Ok") {
                return environment.endpoint_url().unwrap().to_owned();
            }
            assert!(since.elapsed() < PATIENCE, "{environment:?}");
            self.look_again().await;
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the pause between two looks at a condition"
    )]
    async fn look_again(&self) {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }

    /// The environment's instances with their addresses and images.
    async fn instances(&self) -> Vec<(String, String, String)> {
        let answer = self
            .beanstalk
            .describe_environment_resources()
            .environment_name("shop-prod")
            .send()
            .await
            .unwrap();
        let ids = answer.environment_resources().unwrap().instances().iter();
        let ids = ids.filter_map(|one| one.id.clone()).collect();
        let answer = self
            .ec2
            .describe_instances()
            .set_instance_ids(Some(ids))
            .send()
            .await
            .unwrap();
        let instances = answer
            .reservations()
            .iter()
            .flat_map(aws_sdk_ec2::types::Reservation::instances);
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        instances
            .map(|one| {
                (
                    text(one.instance_id()),
                    text(one.private_ip_address()),
                    text(one.image_id()),
                )
            })
            .collect()
    }

    /// Runs a command on a machine and returns what it printed.
    async fn on(&self, instance: &str, command: &str) -> String {
        let sent = self
            .ssm
            .send_command()
            .document_name("AWS-RunShellScript")
            .instance_ids(instance)
            .parameters("commands", vec![command.to_owned()])
            .send()
            .await
            .unwrap();
        let id = sent.command().unwrap().command_id().unwrap().to_owned();
        let since = Instant::now();
        loop {
            let call = self
                .ssm
                .get_command_invocation()
                .command_id(&id)
                .instance_id(instance);
            let answer = call.send().await.unwrap();
            let status = answer.status().unwrap().as_str();
            if status == "Success" {
                return answer
                    .standard_output_content()
                    .unwrap_or_default()
                    .to_owned();
            }
            let going = matches!(status, "Pending" | "InProgress" | "Delayed");
            assert!(going && since.elapsed() < PATIENCE, "{command}: {answer:?}");
            self.look_again().await;
        }
    }

    /// Sets options, as an operator does while no run is at work.
    async fn set_options(&self, options: &[(&str, &str, &str)]) {
        let settings = options.iter().map(|(namespace, name, value)| {
            ConfigurationOptionSetting::builder()
                .namespace(*namespace)
                .option_name(*name)
                .value(*value)
                .build()
        });
        let call = self.beanstalk.update_environment();
        let call = call
            .environment_name("shop-prod")
            .set_option_settings(Some(settings.collect()));
        call.send().await.unwrap();
    }

    fn banner(&self, text: &str) {
        let recipe = format!(
            "\
recipe: 1
name: banner
summary: A banner on every page
steps:
  - directory: {{path: /opt/goldseed/app/wordpress/wp-content/mu-plugins}}
  - file:
      path: /opt/goldseed/app/wordpress/wp-content/mu-plugins/banner.php
      content: \"<?php add_action('wp_footer', function () {{ echo '<p>{text}</p>'; }});\\n\"
verify:
  - http: {{path: /, contains: \"{text}\", within: 2m}}
    at: balancer
"
        );
        fs_err::write(self.project.join("recipes/banner.yaml"), recipe).unwrap();
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// A page, as a visitor gets it: whatever the status.
async fn page(address: &str, path: &str) -> String {
    use http_body_util::BodyExt as _;
    let address = if address.contains(':') {
        address.to_owned()
    } else {
        format!("{address}:80")
    };
    let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream))
            .await
            .unwrap();
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get(path)
        .header("host", address)
        .body(http_body_util::Empty::<hyper::body::Bytes>::new())
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    connection.abort();
    String::from_utf8_lossy(&body).into_owned()
}

/// What was said, without the line breaks of a narrow terminal.
fn in_one_line(said: &str) -> String {
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    reason = "the whole job on one environment, step after step"
)]
async fn a_running_instance_becomes_a_golden_image_and_serves_and_goes_back() {
    let shop = Shop::open().await;
    let site = shop.well().await;
    assert!(
        page(&site, "/")
            .await
            .contains("waits for its first golden image")
    );

    shop.banner("first-banner");
    // The balancer's path is answered from the first deployment on, and by the placeholder alone, where visitors look.
    shop.set_options(&[
        (PHP, "document_root", "/public"),
        (PROCESS, "HealthCheckPath", "/goldseed-health.php"),
    ])
    .await;
    shop.well().await;
    assert!(
        page(&site, "/")
            .await
            .contains("waits for its first golden image")
    );
    assert!(
        page(&site, "/goldseed-health.php")
            .await
            .contains("waits for its first golden image")
    );
    assert_eq!(page(&site, "/unknown").await, "not found\n");
    let refused = shop.goldseed(&["rebuild", "shop"]).await;
    assert!(
        !refused.0 && in_one_line(&refused.1).contains("document root of shop-prod is /public"),
        "{}",
        refused.1
    );
    shop.set_options(&[(PHP, "document_root", "/")]).await;
    shop.well().await;

    let said = shop.must(&["rebuild", "shop"]).await;
    assert!(said.contains("is well"), "{said}");
    let home = page(&site, "/").await;
    assert!(
        home.contains("The Shop") && home.contains("first-banner"),
        "{home}"
    );

    // Both instances run the golden image and serve the site; files and data are shared by them.
    let instances = shop.instances().await;
    let [(one, _, first_image), (_, other_address, other_image)] = &instances[..] else {
        panic!("two instances: {instances:?}")
    };
    assert_eq!(first_image, other_image);
    assert!(
        shop.must(&["status", "shop"])
            .await
            .contains(&format!("base image {first_image}"))
    );
    let uploads = "/mnt/efs/wordpress/uploads";
    shop.on(
        one,
        &format!("umask 022; echo 'from one machine' > {uploads}/note.txt"),
    )
    .await;
    let note = page(other_address, "/wp-content/uploads/note.txt").await;
    assert_eq!(note.trim(), "from one machine");
    // What a visitor uploads is not run on an instance that Beanstalk deployed to, whatever link leads there.
    let upload = format!(
        "umask 022; echo '<?php echo 6 * 7;' > {uploads}/bad.php; ln -s {uploads} /var/app/current/wp-content/more"
    );
    shop.on(one, &upload).await;
    let (_, first_address, _) = &instances[0];
    for (address, folder) in [
        (other_address, "uploads"),
        (first_address, "uploads"),
        (first_address, "more"),
    ] {
        let answer = page(address, &format!("/wp-content/{folder}/bad.php")).await;
        assert!(answer.contains("Forbidden"), "{folder}: {answer}");
    }
    let rename = "UPDATE wp_options SET option_value = 'Renamed' WHERE option_name = 'blogname';";
    shop.on(
        one,
        &format!("echo \"{rename}\" | /opt/goldseed/bin/database"),
    )
    .await;
    assert!(page(other_address, "/").await.contains("Renamed"));

    // What lives in the image changes with the next one, and comes back; what lives in the database stays.
    shop.banner("second-banner");
    shop.must(&["rebuild", "shop"]).await;
    let home = page(&site, "/").await;
    assert!(
        home.contains("second-banner") && !home.contains("first-banner"),
        "{home}"
    );
    shop.must(&["rollback", "shop", "--reason", "the first was nicer"])
        .await;
    let home = page(&site, "/").await;
    assert!(
        home.contains("first-banner") && !home.contains("second-banner"),
        "{home}"
    );
    assert!(home.contains("Renamed"), "{home}");
    for (id, _, image) in shop.instances().await {
        assert_eq!(image, *first_image, "{id}");
    }

    // A change of properties is deployed in place, by the confighooks: the baked code comes back into the fresh folder.
    shop.set_options(&[(
        "aws:elasticbeanstalk:application:environment",
        "SHOP_MODE",
        "sale",
    )])
    .await;
    shop.well().await;
    for (id, address, image) in shop.instances().await {
        assert_eq!(image, *first_image, "{id} was not replaced");
        assert!(page(&address, "/").await.contains("first-banner"), "{id}");
        let seen = shop
            .on(&id, "cat /opt/elasticbeanstalk/deployment/env")
            .await;
        assert!(seen.contains("SHOP_MODE=sale"), "{id}: {seen}");
    }

    assert!(
        shop.must(&["status", "shop"])
            .await
            .contains("bridge-1: the bridge\n")
    );

    // A recipe that fails stops the run with its place and last lines, and leaves the environment as it was.
    let broken = "recipe: 1\nname: banner\nsteps:\n  - run: {name: break it, command: \"echo oh no; exit 3\", always: true}\n";
    fs_err::write(shop.project.join("recipes/banner.yaml"), broken).unwrap();
    let (success, said) = shop.goldseed(&["build", "shop"]).await;
    assert!(!success);
    assert!(
        said.contains("banner: break it failed") && said.contains("(code 3)"),
        "{said}"
    );
    assert!(
        said.contains("banner.yaml:4:") && said.contains("oh no"),
        "{said}"
    );
    assert!(page(&site, "/").await.contains("first-banner"));

    shop.sandbox.stop().await;
    fs_err::remove_dir_all(folder("shop")).unwrap();
}
