//! Credentials, region, retries and time-outs: decided here and nowhere else.

use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use super::configured::Configured;
use super::error::{in_one_line, with_causes};
use super::retry::{AlsoHeals, FixedToken};
use super::{Cloud, CloudError, ErrorKind};
use crate::event::Emitter;
use crate::pace::Pace;

/// How to connect.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The region, where settings or a flag say one; else the SDK's own chain decides.
    pub region: Option<String>,
    /// The profile of the AWS configuration files.
    pub profile: Option<String>,
    /// The pace of everything that waits.
    pub pace: Pace,
    /// A local AWS of our own; the credentials of the real one are not read then.
    pub local: Option<LocalAws>,
}

/// Where a local AWS of our own answers.
#[derive(Clone, Debug)]
pub struct LocalAws {
    /// The endpoint.
    pub endpoint: String,
    /// The access key id and the secret access key; none where it serves any.
    pub access_key: Option<(String, String)>,
}

/// Who the credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account's twelve digits.
    pub account: String,
    /// The principal's ARN.
    pub arn: String,
}

/// The longest a single attempt may take; a lease must outlive it.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest a call may take with all its retries: enough for a throttled minute, short enough to be told of a dead
/// network while one is looking.
pub const CALL_TIMEOUT: Duration = Duration::from_mins(3);

impl Cloud {
    /// Connects: reads the SDK's configuration chain, finds credentials, and sets the one retry layer.
    pub async fn connect(connection: Connection, events: Emitter) -> Result<Self, CloudError> {
        let config = load(&connection).await?;
        let region = config
            .region()
            .map(ToString::to_string)
            .ok_or_else(|| CloudError {
                message: "no region: set `region:` in goldseed.yaml or AWS_REGION".into(),
                ..unsent(ErrorKind::Refused)
            })?;
        check_region(&region)?;
        let provider = config.credentials_provider().ok_or_else(no_credentials)?;
        let credentials = provider
            .provide_credentials()
            .await
            .map_err(|error| CloudError {
                message: match &connection.profile {
                    Some(profile) => {
                        let why = in_one_line(&with_causes(&error));
                        format!("no AWS credentials by the profile `{profile}`: {why}")
                    }
                    None => format!("no AWS credentials: {}", in_one_line(&with_causes(&error))),
                },
                ..no_credentials()
            })?;
        check_credentials(&credentials)?;
        // A source that renews its credentials says until when they are valid; a token without that was written down.
        let is_fixed = credentials.session_token().is_some() && credentials.expiry().is_none();
        Ok(Self::with(
            &config,
            is_fixed,
            region,
            connection.pace,
            events,
        ))
    }

    /// Makes the clients, with the one retry layer; the credentials' token may be one that nothing renews.
    fn with(
        config: &SdkConfig,
        is_fixed: bool,
        region: String,
        pace: Pace,
        events: Emitter,
    ) -> Self {
        // The SDK's bucket of retries is shared by all calls of a service and would be empty after a throttled hour
        // of polls; time-outs bound the retries here.
        let partition = RetryPartition::custom("goldseed")
            .token_bucket(TokenBucket::unlimited())
            .build();
        let mut ec2 = aws_sdk_ec2::config::Builder::from(config)
            .retry_partition(partition.clone())
            .retry_classifier(AlsoHeals);
        let mut beanstalk = aws_sdk_elasticbeanstalk::config::Builder::from(config)
            .retry_partition(partition.clone())
            .retry_classifier(AlsoHeals);
        let mut ssm = aws_sdk_ssm::config::Builder::from(config)
            .retry_partition(partition.clone())
            .retry_classifier(AlsoHeals);
        let mut sts = aws_sdk_sts::config::Builder::from(config)
            .retry_partition(partition)
            .retry_classifier(AlsoHeals);
        if is_fixed {
            let fixed = SharedInterceptor::new(FixedToken);
            ec2.push_interceptor(fixed.clone());
            beanstalk.push_interceptor(fixed.clone());
            ssm.push_interceptor(fixed.clone());
            sts.push_interceptor(fixed);
        }
        Self {
            ec2: aws_sdk_ec2::Client::from_conf(ec2.build()),
            beanstalk: aws_sdk_elasticbeanstalk::Client::from_conf(beanstalk.build()),
            ssm: aws_sdk_ssm::Client::from_conf(ssm.build()),
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
            region,
            pace,
            events,
            halt: super::Halt::default(),
        }
    }

    /// Tells whether a call that took so long hung in between: one of its attempts came to its time-out. No wait counts
    /// such a time, in which nobody could look.
    pub fn hung(&self, took: Duration) -> bool {
        took >= attempt_timeout(self.pace)
    }

    /// The longest that one attempt of a call takes at this connection's pace.
    pub fn attempt_timeout(&self) -> Duration {
        attempt_timeout(self.pace)
    }

    /// Asks who the credentials belong to. It is the first call of all: a wrong address or a dead network is told soon;
    /// a service that answers, and asks for patience, gets it as elsewhere.
    pub async fn identity(&self) -> Result<Identity, CloudError> {
        let mut rounds = 0;
        loop {
            rounds += 1;
            match self.ask_identity().await {
                Err(error) if error.may_be_asked_again() && rounds < PATIENT_ROUNDS => {
                    self.pace.sleep(Duration::from_secs(5)).await;
                }
                other => return other,
            }
        }
    }

    async fn ask_identity(&self) -> Result<Identity, CloudError> {
        const OPERATION: &str = "GetCallerIdentity";
        let answer = self
            .sts
            .get_caller_identity()
            .customize()
            .config_override(
                aws_sdk_sts::config::Builder::new().retry_config(
                    RetryConfig::standard()
                        .with_max_attempts(3)
                        .with_initial_backoff(self.pace.scale(Duration::from_millis(500))),
                ),
            )
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, "the caller", &error))?;
        Ok(Identity {
            account: super::present(answer.account, OPERATION, "the caller", "Account")?,
            arn: super::present(answer.arn, OPERATION, "the caller", "Arn")?,
        })
    }
}

/// Reads the SDK's configuration chain, with the profile, region, certificates and patience of this connection.
async fn load(connection: &Connection) -> Result<SdkConfig, CloudError> {
    let pace = connection.pace;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(12)
                .with_initial_backoff(pace.scale(Duration::from_secs(1)))
                .with_max_backoff(pace.scale(Duration::from_secs(20))),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(pace.scale(Duration::from_secs(10)).max(LOCAL_FLOOR))
                .operation_attempt_timeout(attempt_timeout(pace))
                .operation_timeout(pace.scale(CALL_TIMEOUT).max(LOCAL_FLOOR * 4))
                .build(),
        );
    if let Some(profile) = &connection.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &connection.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let mut http = None;
    if connection.local.is_none() {
        let configured = Configured::read(connection.profile.as_deref()).await;
        configured.check_endpoints()?;
        http = configured.http_client()?;
    }
    if let Some(client) = &http {
        loader = loader.http_client(client.clone());
    }
    if let Some(local) = &connection.local {
        let (id, secret) = local.access_key.clone().unwrap_or_default();
        let credentials = Credentials::new(id, secret, None, None, "sandbox");
        // Without TLS: reading the machine's root certificates takes longer than many a call.
        let plain = aws_smithy_http_client::Builder::new().build_http();
        loader = loader
            .endpoint_url(&local.endpoint)
            .credentials_provider(credentials)
            .http_client(plain);
    }
    let mut config = loader.load().await;
    if let (Some(profile), None) = (&connection.profile, &connection.local) {
        // As with the AWS CLI, a profile that is asked for wins over credentials of the environment. A role that it
        // names is assumed in the region of the settings.
        let mut provider = ProviderConfig::without_region().with_region(config.region().cloned());
        if let Some(client) = http {
            provider = provider.with_http_client(client);
        }
        let named = ProfileFileCredentialsProvider::builder()
            .configure(&provider)
            .profile_name(profile)
            .build();
        config = config
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(named))
            .build();
    }
    Ok(config)
}

fn attempt_timeout(pace: Pace) -> Duration {
    pace.scale(ATTEMPT_TIMEOUT).max(LOCAL_FLOOR)
}

/// How often the first call is begun anew while the service answers.
const PATIENT_ROUNDS: u32 = 4;

/// However short the pace, a local server that is busy answers within this.
const LOCAL_FLOOR: Duration = Duration::from_secs(3);

/// Refuses what cannot stand in the name of a service's host.
fn check_region(region: &str) -> Result<(), CloudError> {
    let fits = (1..=63).contains(&region.len())
        && region
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !region.starts_with('-');
    if fits {
        return Ok(());
    }
    Err(unusable(format!(
        "`{}` is not a region such as eu-central-1 (--region, AWS_REGION, or `region` in the AWS configuration file)",
        region.escape_debug()
    )))
}

/// Refuses what cannot stand in a request, and what AWS would call a wrong signature. The values are not shown.
fn check_credentials(credentials: &Credentials) -> Result<(), CloudError> {
    let is_printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let parts = [
        ("access key id", Some(credentials.access_key_id())),
        ("secret access key", Some(credentials.secret_access_key())),
        ("session token", credentials.session_token()),
    ];
    for (name, value) in parts {
        if value.is_some_and(|value| !is_printable(value)) {
            return Err(unusable(format!(
                "the {name} of the AWS credentials contains a space, a line break or a character outside ASCII: copy it again"
            )));
        }
    }
    Ok(())
}

/// The error of a variable, a flag or a configuration file that says something unusable.
pub(super) fn unusable(message: String) -> CloudError {
    CloudError {
        message,
        ..unsent(ErrorKind::Configuration)
    }
}

fn no_credentials() -> CloudError {
    CloudError {
        message: "no AWS credentials".into(),
        ..unsent(ErrorKind::NoCredentials)
    }
}

fn unsent(kind: ErrorKind) -> CloudError {
    CloudError {
        operation: "connect",
        subject: "AWS".into(),
        kind,
        code: None,
        message: String::new(),
        request_id: None,
    }
}
