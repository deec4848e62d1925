//! What the process shares and what an account has of its own.

use super::credentials::{AssumedRole, Credentials};
use super::error::{Call, CallError, Kind};
use super::pace::Pacer;
use crate::clock::{Clock, ServiceClock};
use crate::ids::{AccountId, Arn, BucketName, ExternalId, Region};
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials as Keys;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::IdentityCache;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder as HttpBuilder, Connector, proxy::ProxyConfig};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How to reach AWS.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The profile of the shared AWS configuration; the default chain unless given.
    pub profile: Option<String>,
    /// The Region of the caller's own calls; the configured one unless given.
    pub region: Option<Region>,
    /// Where neither that nor the configuration names one.
    pub fallback_region: Option<Region>,
    /// Calls in a second to Organizations.
    pub organizations_per_second: Option<f64>,
    /// Roles assumed in a second.
    pub assume_role_per_second: Option<f64>,
}

/// Another address for every service, with the bucket in the path: an emulator.
const ENDPOINT_VARIABLE: &str = "WEIR_AWS_ENDPOINT_URL";
/// The published limits of Organizations are per account and second and low; others pace at five.
const ORGANIZATIONS_PER_SECOND: f64 = 5.0;
/// STS allows 600 in a second of one account and Region, shared with everything else there: a twelfth of it enters a
/// thousand accounts in 20 seconds.
const ASSUME_ROLE_PER_SECOND: f64 = 50.0;
/// The attempts of one request that the SDK makes.
const ATTEMPTS: u32 = 6;
/// How often a call is made again that met a change under way, a throttle or a failure of the service.
const MORE_ATTEMPTS: u32 = 6;

/// Nothing says which Region the caller is in.
#[derive(Debug, thiserror::Error)]
#[error(
    "the credentials' configuration names no Region; set AWS_REGION, or `region` of the profile, or give --region"
)]
pub struct NoRegion;

/// What the process shares.
#[derive(Clone, Debug)]
pub struct Connection(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: SdkConfig,
    region: Region,
    path_style: bool,
    clock: Arc<ServiceClock>,
    organizations_pacer: Pacer,
    sts_pacer: Pacer,
    /// The credentials of roles, so that the next session of an account need not assume its role again.
    assumed: Mutex<BTreeMap<Arn, Keys>>,
}

impl Connection {
    /// Reads the AWS configuration as every AWS tool does: environment, shared files, container, instance.
    pub async fn open(options: Options) -> Result<Self, NoRegion> {
        // The client keeps one pool of connections for all accounts.
        let http = HttpBuilder::new().build_with_connector_fn(|settings, components| {
            let mut builder = Connector::builder().proxy_config(ProxyConfig::from_env());
            builder.set_connector_settings(settings.cloned());
            if let Some(sleep) = components.and_then(RuntimeComponents::sleep_impl) {
                builder.set_sleep_impl(Some(sleep));
            }
            builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
        });
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .identity_cache(IdentityCache::no_cache())
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(ATTEMPTS)
                    .with_initial_backoff(Duration::from_millis(200)),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .operation_attempt_timeout(Duration::from_secs(30))
                    .build(),
            );
        if let Ok(name) = AppName::new("weir") {
            loader = loader.app_name(name);
        }
        if let Some(profile) = options.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &options.region {
            loader = loader.region(aws_types::region::Region::new(region.to_string()));
        }
        let endpoint = std::env::var(ENDPOINT_VARIABLE).ok().filter(|url| !url.is_empty());
        if let Some(endpoint) = &endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        let config = loader.load().await;
        let configured = config.region().and_then(|region| region.as_ref().parse().ok());
        let region = options.region.or(configured).or(options.fallback_region).ok_or(NoRegion)?;
        let clock = Arc::new(ServiceClock::default());
        let organizations_per_second = options.organizations_per_second.unwrap_or(ORGANIZATIONS_PER_SECOND);
        let assume_role_per_second = options.assume_role_per_second.unwrap_or(ASSUME_ROLE_PER_SECOND);
        Ok(Self(Arc::new(Shared {
            path_style: config.endpoint_url().is_some(),
            region,
            organizations_pacer: Pacer::new(clock.clone(), organizations_per_second),
            sts_pacer: Pacer::new(clock.clone(), assume_role_per_second),
            clock,
            config,
            assumed: Mutex::default(),
        })))
    }

    /// The time, as the services have it.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }

    /// The Region of the caller's own calls.
    pub fn region(&self) -> &Region {
        &self.0.region
    }

    /// The session of the caller, in `account` once that is known.
    pub fn caller(&self, account: Option<AccountId>) -> Session {
        Session::new(self.clone(), account, "caller".into(), None)
    }

    /// A session of the role `role` in `account`. Nothing is called before it is used.
    pub fn assume(&self, account: &AccountId, role: Arn, external_id: Option<ExternalId>) -> Session {
        let assumed = AssumedRole::new(self.clone(), account.clone(), role, external_id, None);
        Session::new(
            self.clone(),
            Some(account.clone()),
            format!("account-{account}"),
            Some(Arc::new(assumed)),
        )
    }

    /// The same, with no more permissions than `session_policy` gives.
    pub fn assume_limited(
        &self,
        account: &AccountId,
        role: Arn,
        external_id: Option<ExternalId>,
        session_policy: String,
    ) -> Session {
        let assumed =
            AssumedRole::new(self.clone(), account.clone(), role, external_id, Some(session_policy));
        Session::new(
            self.clone(),
            Some(account.clone()),
            format!("account-{account}"),
            Some(Arc::new(assumed)),
        )
    }

    /// The credentials of a role, as last assumed.
    pub(super) fn assumed(&self, role: &Arn) -> Option<Keys> {
        self.0.assumed.lock().unwrap_or_else(PoisonError::into_inner).get(role).cloned()
    }

    /// Keeps or forgets them.
    pub(super) fn set_assumed(&self, role: &Arn, keys: Option<Keys>) {
        let mut assumed = self.0.assumed.lock().unwrap_or_else(PoisonError::into_inner);
        match keys {
            Some(keys) => assumed.insert(role.clone(), keys),
            None => assumed.remove(role),
        };
    }

    pub(super) fn organizations_pacer(&self) -> &Pacer {
        &self.0.organizations_pacer
    }

    pub(super) fn sts_pacer(&self) -> &Pacer {
        &self.0.sts_pacer
    }
}

/// What one account has of its own.
#[derive(Clone, Debug)]
pub struct Session {
    connection: Connection,
    account: Option<AccountId>,
    partition: RetryPartition,
    assumed: Option<Arc<AssumedRole>>,
    /// Where the buckets are, as S3 told us.
    bucket_regions: Arc<Mutex<BTreeMap<BucketName, Region>>>,
}

impl Session {
    fn new(
        connection: Connection,
        account: Option<AccountId>,
        partition: String,
        assumed: Option<Arc<AssumedRole>>,
    ) -> Self {
        // A partition of its own: the SDK's is shared by all accounts, and one that is throttled would use it up.
        let partition = RetryPartition::custom(partition).build();
        Self { connection, account, partition, assumed, bucket_regions: Arc::default() }
    }

    /// The account; `None` for a caller that has not been asked yet.
    pub fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    /// What the process shares.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn partition(&self) -> RetryPartition {
        self.partition.clone()
    }

    pub(super) fn path_style(&self) -> bool {
        self.connection.0.path_style
    }

    pub(super) fn bucket_region(&self, bucket: &BucketName) -> Option<Region> {
        self.bucket_regions.lock().unwrap_or_else(PoisonError::into_inner).get(bucket).cloned()
    }

    pub(super) fn set_bucket_region(&self, bucket: &BucketName, region: Region) {
        self.bucket_regions.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket.clone(), region);
    }

    /// The configuration of a client in `region`.
    pub(super) fn config(&self, region: &Region) -> SdkConfig {
        let mut builder = self.connection.0.config.to_builder();
        builder = builder.region(aws_types::region::Region::new(region.to_string()));
        if let Some(assumed) = &self.assumed {
            builder =
                builder.credentials_provider(SharedCredentialsProvider::new(Credentials(assumed.clone())));
        }
        builder.build()
    }

    /// Follows the time of the answers.
    pub(super) fn observer(&self) -> impl Intercept + 'static {
        ObserveDate(self.connection.0.clock.clone())
    }

    pub(super) fn call(
        &self,
        service: &'static str,
        operation: &'static str,
        region: &Region,
        resource: impl Into<String>,
    ) -> Call {
        Call {
            service,
            operation,
            account: self.account.clone(),
            region: region.clone(),
            resource: resource.into(),
        }
    }

    /// Makes a call, again where that helps.
    pub(super) async fn run<T, E, F>(
        &self,
        call: &Call,
        pacer: Option<&Pacer>,
        attempt: impl Fn() -> F,
    ) -> Result<T, CallError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let mut renewed = false;
        let mut count = 0;
        loop {
            if let Some(pacer) = pacer {
                pacer.wait().await;
            }
            let error = match attempt().await {
                Ok(output) => {
                    if let Some(pacer) = pacer {
                        pacer.answered();
                    }
                    return Ok(output);
                }
                Err(error) => CallError::from_sdk(call.clone(), error),
            };
            if error.kind == Kind::Throttled
                && let Some(pacer) = pacer
            {
                pacer.throttled();
            }
            match (error.kind.clone(), &self.assumed) {
                (Kind::Expired, Some(assumed)) if !renewed => {
                    tracing::info!(code = %error.code_of_report(), "{error}; the role is assumed again");
                    renewed = true;
                    assumed.forget();
                }
                (Kind::Busy | Kind::Throttled | Kind::ServiceFault, _) if count < MORE_ATTEMPTS => {
                    // 0.25 s, doubled each time: 16 s in all.
                    let pause = Duration::from_millis(250 << count);
                    tracing::info!(code = %error.code_of_report(), "{error}; asked again in {pause:?}");
                    self.connection.0.clock.sleep(pause).await;
                    count += 1;
                }
                _ => return Err(error),
            }
        }
    }
}

/// Reads the `Date` header of every answer.
#[derive(Debug)]
struct ObserveDate(Arc<ServiceClock>);

impl Intercept for ObserveDate {
    fn name(&self) -> &'static str {
        "weir.date"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.0.observe(date);
        }
        Ok(())
    }
}
