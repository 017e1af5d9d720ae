//! The demo world: a shop on Beanstalk with its file system and its database, made inside a running sandbox.
//!
//! What has no API here (an EFS file system, a database server) is made of the machines' own means; the rest is asked
//! of the sandbox's endpoint as any client would, so that the demo shows what a client sees.

use std::net::{IpAddr, SocketAddr};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::machines::{Containers, MachineError};

/// The Beanstalk application.
pub(crate) const APPLICATION: &str = "shop";
/// The Beanstalk environment.
pub(crate) const ENVIRONMENT: &str = "shop-prod";
/// The EFS file system for uploads.
pub(crate) const FILE_SYSTEM: &str = "fs-0a1b2c3d4e5f60718";
/// The parameter that holds the database administrator's password.
pub(crate) const PASSWORD_PARAMETER: &str = "/shop/database-password";

const VERSION_LABEL: &str = "bridge-1";
const PASSWORD_LENGTH: usize = 24;
/// Letters and digits that cannot be taken for one another, 64 of them less the eight most alike.
const PASSWORD_ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789";

/// Where the sandbox answers, and what the environment is made of.
#[derive(Clone, Debug)]
pub(crate) struct DemoOptions {
    /// The client of the sandbox's endpoint.
    pub(crate) client: Client,
    /// The account that it plays.
    pub(crate) account: String,
    /// The platform version of the environment.
    pub(crate) platform_arn: String,
    /// The instance profile's name.
    pub(crate) instance_profile: String,
    /// The application bundle: a zip file.
    pub(crate) bundle: Vec<u8>,
}

/// What was made and is not a constant of this module.
#[derive(Clone, Debug)]
pub struct DemoWorld {
    /// The database's address; its user is `admin`, its port 3306.
    pub database: IpAddr,
}

/// The demo world could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error("the file system or the database could not be made")]
    Machines(#[from] MachineError),
    #[error("no random password could be made")]
    Random(#[source] std::io::Error),
    #[error("{call} did not reach the sandbox")]
    Unreachable {
        call: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{call} was refused with {status}: {answer}")]
    Refused {
        call: String,
        status: u16,
        answer: String,
    },
}

/// Makes the world. The environment is being launched when this returns; `DescribeEnvironments` tells when it is ready.
pub(crate) async fn make(
    containers: &Containers,
    options: DemoOptions,
) -> Result<DemoWorld, DemoError> {
    file_system(containers)?;
    let client = &options.client;
    let database = database(containers, client).await?;

    let bucket = format!("elasticbeanstalk-{}-{}", client.region, options.account);
    let key = format!("{APPLICATION}/{VERSION_LABEL}.zip");
    client.put_object(&bucket, &key, options.bundle).await?;
    client
        .beanstalk("CreateApplication", &[("ApplicationName", APPLICATION)])
        .await?;
    client
        .beanstalk(
            "CreateApplicationVersion",
            &[
                ("ApplicationName", APPLICATION),
                ("VersionLabel", VERSION_LABEL),
                ("SourceBundle.S3Bucket", &bucket),
                ("SourceBundle.S3Key", &key),
            ],
        )
        .await?;
    let settings = option_settings(&options.instance_profile, database);
    let mut form = vec![
        ("ApplicationName", APPLICATION),
        ("EnvironmentName", ENVIRONMENT),
        ("VersionLabel", VERSION_LABEL),
        ("PlatformArn", &options.platform_arn),
    ];
    form.extend(
        settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    client.beanstalk("CreateEnvironment", &form).await?;
    Ok(DemoWorld { database })
}

/// Makes the file system for uploads.
pub(crate) fn file_system(containers: &Containers) -> Result<(), DemoError> {
    let made = containers.create_file_system(FILE_SYSTEM);
    made.map_err(MachineError::from)?;
    Ok(())
}

/// Starts the database, and keeps its password as a parameter. Returns its address.
pub(crate) async fn database(
    containers: &Containers,
    client: &Client,
) -> Result<IpAddr, DemoError> {
    let password = random_password().map_err(DemoError::Random)?;
    let address = containers
        .start_database(APPLICATION, &password)
        .await
        .map_err(MachineError::from)?;
    let parameter = serde_json::json!({
        "Name": PASSWORD_PARAMETER,
        "Type": "SecureString",
        "Value": password,
        "Description": "The password of admin on the shop's database",
    });
    client.systems_manager("PutParameter", &parameter).await?;
    Ok(address)
}

/// Two to four instances behind a load balancer, replaced one at a time as their health allows.
fn option_settings(instance_profile: &str, database: IpAddr) -> Vec<(String, String)> {
    const ROLLING: &str = "aws:autoscaling:updatepolicy:rollingupdate";
    const PROPERTIES: &str = "aws:elasticbeanstalk:application:environment";
    let database = database.to_string();
    let settings = [
        (
            "aws:elasticbeanstalk:environment",
            "EnvironmentType",
            "LoadBalanced",
        ),
        ("aws:autoscaling:asg", "MinSize", "2"),
        ("aws:autoscaling:asg", "MaxSize", "4"),
        (ROLLING, "RollingUpdateEnabled", "true"),
        (ROLLING, "RollingUpdateType", "Health"),
        (ROLLING, "MaxBatchSize", "1"),
        (ROLLING, "MinInstancesInService", "1"),
        (
            "aws:elasticbeanstalk:healthreporting:system",
            "SystemType",
            "enhanced",
        ),
        (
            "aws:autoscaling:launchconfiguration",
            "IamInstanceProfile",
            instance_profile,
        ),
        ("aws:ec2:instances", "InstanceTypes", "t3.small"),
        (PROPERTIES, "DATABASE_HOST", &database),
        (PROPERTIES, "FILE_SYSTEM", FILE_SYSTEM),
    ];
    let mut form = Vec::new();
    for (at, (namespace, name, value)) in settings.into_iter().enumerate() {
        let member = format!("OptionSettings.member.{}", at + 1);
        form.push((format!("{member}.Namespace"), namespace.to_owned()));
        form.push((format!("{member}.OptionName"), name.to_owned()));
        form.push((format!("{member}.Value"), value.to_owned()));
    }
    form
}

/// Draws a password from the kernel's generator.
fn random_password() -> std::io::Result<String> {
    use std::io::Read as _;

    let mut source = fs_err::File::open("/dev/urandom")?;
    let mut password = String::with_capacity(PASSWORD_LENGTH);
    let mut byte = [0_u8; 1];
    while password.len() < PASSWORD_LENGTH {
        source.read_exact(&mut byte)?;
        // Six bits; those beyond the alphabet are drawn again, so that every character is as likely.
        if let Some(&character) = PASSWORD_ALPHABET.get(usize::from(byte[0] & 63)) {
            password.push(char::from(character));
        }
    }
    Ok(password)
}

/// A client of the sandbox's endpoint, as small as can be.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) endpoint: SocketAddr,
    pub(crate) region: String,
    /// The access key id of the sandbox.
    pub(crate) key_id: String,
}

impl Client {
    /// Calls an operation of Beanstalk, which speaks the query protocol.
    async fn beanstalk(&self, action: &str, form: &[(&str, &str)]) -> Result<(), DemoError> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", "2010-12-01")
            .extend_pairs(form)
            .finish();
        let request = Request::post("/")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Authorization", self.authorization("elasticbeanstalk"));
        self.send(action, request, body.into()).await
    }

    /// Calls an operation of Systems Manager, which speaks JSON.
    async fn systems_manager(
        &self,
        action: &str,
        body: &serde_json::Value,
    ) -> Result<(), DemoError> {
        let request = Request::post("/")
            .header("Content-Type", "application/x-amz-json-1.1")
            .header("X-Amz-Target", format!("AmazonSSM.{action}"))
            .header("Authorization", self.authorization("ssm"));
        self.send(action, request, body.to_string().into()).await
    }

    /// Puts an object into the storage.
    async fn put_object(&self, bucket: &str, key: &str, body: Vec<u8>) -> Result<(), DemoError> {
        let request = Request::builder()
            .method(Method::PUT)
            .uri(format!("/{bucket}/{key}"))
            .header("Authorization", self.authorization("s3"));
        self.send("PutObject", request, body.into()).await
    }

    /// The header that names the key and the service; the sandbox does not verify the signature.
    fn authorization(&self, service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{}/{service}/aws4_request, \
             SignedHeaders=host, Signature=none",
            self.key_id, self.region
        )
    }

    async fn send(
        &self,
        call: &str,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<(), DemoError> {
        let (status, answer) =
            self.exchange(request, body)
                .await
                .map_err(|source| DemoError::Unreachable {
                    call: call.to_owned(),
                    source,
                })?;
        if (200..300).contains(&status) {
            return Ok(());
        }
        Err(DemoError::Refused {
            call: call.to_owned(),
            status,
            answer,
        })
    }

    async fn exchange(
        &self,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<(u16, String), Box<dyn std::error::Error + Send + Sync>> {
        let request = request
            .header("Host", self.endpoint.to_string())
            .body(Full::new(body))?;
        let stream = TcpStream::connect(self.endpoint).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let answer = response.into_body().collect().await?.to_bytes();
        connection.abort();
        Ok((status, String::from_utf8_lossy(&answer).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_plain_and_never_the_same() {
        let passwords = [random_password().unwrap(), random_password().unwrap()];
        assert_ne!(passwords[0], passwords[1]);
        for password in passwords {
            assert_eq!(password.len(), PASSWORD_LENGTH);
            assert!(password.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn option_settings_are_numbered_as_the_query_protocol_wants() {
        let form = option_settings("profile", "10.213.0.200".parse().unwrap());
        assert_eq!(
            form[..3],
            [
                ("Namespace", "aws:elasticbeanstalk:environment"),
                ("OptionName", "EnvironmentType"),
                ("Value", "LoadBalanced"),
            ]
            .map(|(name, value)| (format!("OptionSettings.member.1.{name}"), value.to_owned()))
        );
        assert!(form.iter().any(|(_, value)| value == "10.213.0.200"));
    }
}
