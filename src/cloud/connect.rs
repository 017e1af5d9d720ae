//! Credentials, region, retries and time-outs: decided here and nowhere else.

use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};
use aws_smithy_types::retry::{ErrorKind as RetryKind, RetryConfig};
use aws_smithy_types::timeout::TimeoutConfig;

use super::error::with_causes;
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
    /// The endpoint of a local AWS of our own; the credentials of the real one are not read then.
    pub local: Option<String>,
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
        if let Some(endpoint) = &connection.local {
            let nobody = Credentials::new("sandbox", "sandbox", None, None, "sandbox");
            // Without TLS: reading the machine's root certificates takes longer than many a call.
            let plain = aws_smithy_http_client::Builder::new().build_http();
            loader = loader
                .endpoint_url(endpoint)
                .credentials_provider(nobody)
                .http_client(plain);
        }
        let mut config = loader.load().await;
        if let (Some(profile), None) = (&connection.profile, &connection.local) {
            // As with the AWS CLI, a profile that is asked for wins over credentials of the environment. A role that it
            // names is assumed in the region of the settings.
            let provider = ProviderConfig::without_region().with_region(config.region().cloned());
            let named = ProfileFileCredentialsProvider::builder()
                .configure(&provider)
                .profile_name(profile)
                .build();
            config = config
                .into_builder()
                .credentials_provider(SharedCredentialsProvider::new(named))
                .build();
        }
        let region = config
            .region()
            .map(ToString::to_string)
            .ok_or_else(|| CloudError {
                message: "no region: set `region:` in goldseed.yaml or AWS_REGION".into(),
                ..unsent(ErrorKind::Refused)
            })?;
        let provider = config.credentials_provider().ok_or_else(no_credentials)?;
        provider
            .provide_credentials()
            .await
            .map_err(|error| CloudError {
                message: match &connection.profile {
                    Some(profile) => {
                        let why = with_causes(&error);
                        format!("no AWS credentials by the profile `{profile}`: {why}")
                    }
                    None => format!("no AWS credentials: {}", with_causes(&error)),
                },
                ..no_credentials()
            })?;
        // The SDK's bucket of retries is shared by all calls of a service and would be empty after a throttled hour
        // of polls; time-outs bound the retries here.
        let partition = RetryPartition::custom("goldseed")
            .token_bucket(TokenBucket::unlimited())
            .build();
        let ec2 = aws_sdk_ec2::config::Builder::from(&config)
            .retry_partition(partition.clone())
            .retry_classifier(AlsoHeals)
            .build();
        let beanstalk = aws_sdk_elasticbeanstalk::config::Builder::from(&config)
            .retry_partition(partition.clone())
            .retry_classifier(AlsoHeals)
            .build();
        let ssm = aws_sdk_ssm::config::Builder::from(&config)
            .retry_partition(partition.clone())
            .retry_classifier(AlsoHeals)
            .build();
        let sts = aws_sdk_sts::config::Builder::from(&config)
            .retry_partition(partition)
            .retry_classifier(AlsoHeals)
            .build();
        Ok(Self {
            ec2: aws_sdk_ec2::Client::from_conf(ec2),
            beanstalk: aws_sdk_elasticbeanstalk::Client::from_conf(beanstalk),
            ssm: aws_sdk_ssm::Client::from_conf(ssm),
            sts: aws_sdk_sts::Client::from_conf(sts),
            region,
            pace,
            events,
            halt: super::Halt::default(),
        })
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

fn attempt_timeout(pace: Pace) -> Duration {
    pace.scale(ATTEMPT_TIMEOUT).max(LOCAL_FLOOR)
}

/// How often the first call is begun anew while the service answers.
const PATIENT_ROUNDS: u32 = 4;

/// However short the pace, a local server that is busy answers within this.
const LOCAL_FLOOR: Duration = Duration::from_secs(3);

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

/// Retries what the SDK does not: credentials that the service calls expired (the provider is asked anew), and EC2's
/// own names for "try again" (EC2 API reference, error codes).
#[derive(Debug)]
struct AlsoHeals;

/// Codes as they stand in the body of an answer; the generic context knows no typed error.
const HEALING_CODES: [&str; 11] = [
    // One snapshot a volume in some seconds.
    "SnapshotCreationPerVolumeRateExceeded",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "Unavailable",
    "InternalError",
    "InternalFailure",
    "ServerInternal",
    "ServiceUnavailable",
    "InternalServerError",
    "TooManyUpdates",
];

impl ClassifyRetry for AlsoHeals {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let response = context.response();
        // Proxies on the way say so by the status alone.
        match response.map(|response| response.status().as_u16()) {
            Some(408) => return RetryAction::retryable_error(RetryKind::TransientError),
            Some(429) => return RetryAction::retryable_error(RetryKind::ThrottlingError),
            _ => {}
        }
        let body = response
            .filter(|response| response.status().as_u16() >= 400)
            .and_then(|response| response.body().bytes())
            .map(String::from_utf8_lossy);
        match body {
            Some(body) if HEALING_CODES.iter().any(|code| names_code(&body, code)) => {
                RetryAction::retryable_error(RetryKind::TransientError)
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "AlsoHeals"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// Tells whether an error's body, XML or JSON, names just this code.
fn names_code(body: &str, code: &str) -> bool {
    body.contains(&format!("<Code>{code}</Code>"))
        || body.contains(&format!("\"{code}\""))
        || body.contains(&format!("#{code}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_whole() {
        assert!(names_code(
            "<Error><Code>ExpiredToken</Code></Error>",
            "ExpiredToken"
        ));
        assert!(!names_code(
            "<Error><Code>ExpiredTokenX</Code></Error>",
            "ExpiredToken"
        ));
        assert!(names_code(
            r#"{"__type":"com.amazonaws#ExpiredTokenException"}"#,
            "ExpiredTokenException"
        ));
        assert!(!names_code(
            r#"{"__type":"AccessDeniedException"}"#,
            "ExpiredTokenException"
        ));
    }
}
