//! A running fake, and clients of it.

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use weir_aws_fake::builder::{Blueprint, EXTERNAL_ID, LOG_KEY, MANAGEMENT_KEY, MEMBER_ROLE};
use weir_aws_fake::{Server, World};

pub(crate) const REGION: &str = "eu-west-1";
/// 2026-11-25T00:00:00Z.
pub(crate) const START_MS: i64 = 1_795_564_800_000;

pub(crate) struct Fake {
    pub(crate) server: Server,
}

/// The error code of an outcome, or `ok`.
pub(crate) fn code<T, E: ProvideErrorMetadata, R>(
    outcome: &Result<T, aws_smithy_runtime_api::client::result::SdkError<E, R>>,
) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.code().unwrap_or("no code").to_owned(),
    }
}

/// The message of an outcome that failed.
pub(crate) fn message<T, E: ProvideErrorMetadata, R>(
    outcome: &Result<T, aws_smithy_runtime_api::client::result::SdkError<E, R>>,
) -> String {
    outcome.as_ref().err().and_then(|error| error.message()).unwrap_or_default().to_owned()
}

impl Fake {
    /// Starts a fake whose clock stands still.
    pub(crate) async fn start(world: World) -> Self {
        let server = Server::start(world).await.unwrap();
        server.fake.stop_clock(START_MS);
        Self { server }
    }

    /// An organization of three members in one region.
    pub(crate) async fn small() -> Self {
        Self::start(Blueprint::default().build().unwrap()).await
    }

    /// A configuration of the SDK with fixed credentials.
    pub(crate) fn config(&self, key: &str, token: Option<&str>, region: &str) -> SdkConfig {
        let credentials = Credentials::new(key, "secret", token.map(str::to_owned), None, "test");
        SdkConfig::builder()
            .behavior_version(aws_types_behavior())
            .region(Region::new(region.to_owned()))
            .endpoint_url(self.server.endpoint())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(RetryConfig::disabled())
            .build()
    }

    /// As an administrator of the management account.
    pub(crate) fn management(&self) -> SdkConfig {
        self.config(MANAGEMENT_KEY, None, REGION)
    }

    /// As an administrator of the log account.
    pub(crate) fn log(&self) -> SdkConfig {
        self.config(LOG_KEY, None, REGION)
    }

    /// As the member role of an account, assumed from the management account.
    pub(crate) async fn member(&self, account: &str) -> SdkConfig {
        self.member_in(account, REGION).await
    }

    /// The same for a region.
    pub(crate) async fn member_in(&self, account: &str, region: &str) -> SdkConfig {
        let assumed = aws_sdk_sts::Client::new(&self.management())
            .assume_role()
            .role_arn(format!("arn:aws:iam::{account}:role/{MEMBER_ROLE}"))
            .role_session_name("test")
            .external_id(EXTERNAL_ID)
            .send()
            .await
            .unwrap();
        let credentials = assumed.credentials.unwrap();
        self.config(&credentials.access_key_id, Some(&credentials.session_token), region)
    }

    /// A request to the control endpoint.
    pub(crate) async fn control(&self, method: &str, path: &str, body: &str) -> Value {
        let (_, body) = self.http(method, &format!("/_fake/{path}"), "", body).await;
        serde_json::from_str(&body).unwrap()
    }

    /// A request to S3 that no SDK would send, as a caller: the status and the body.
    pub(crate) async fn raw(
        &self,
        config: &SdkConfig,
        method: &str,
        path: &str,
        body: &str,
    ) -> (u16, String) {
        let credentials = config.credentials_provider().unwrap().provide_credentials().await.unwrap();
        let region = config.region().unwrap();
        let mut headers = format!(
            "authorization: AWS4-HMAC-SHA256 Credential={}/20261125/{region}/s3/aws4_request, SignedHeaders=host, Signature=0\r\n",
            credentials.access_key_id()
        );
        if let Some(token) = credentials.session_token() {
            headers.push_str(&format!("x-amz-security-token: {token}\r\n"));
        }
        self.http(method, path, &headers, body).await
    }

    pub(crate) async fn http(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let address = self.server.endpoint().replace("http://", "");
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// Moves the clock.
    pub(crate) async fn advance(&self, seconds: i64) {
        self.control("POST", "clock", &format!("{{\"advance_s\":{seconds}}}")).await;
    }

    /// Changes the world by a merge patch.
    pub(crate) async fn patch(&self, change: Value) {
        let answer = self.control("PATCH", "world", &change.to_string()).await;
        assert_eq!(answer, serde_json::json!({}));
    }
}

fn aws_types_behavior() -> aws_sdk_sts::config::BehaviorVersion {
    aws_sdk_sts::config::BehaviorVersion::latest()
}

/// The code of an S3 error document.
pub(crate) fn code_of(body: &str) -> &str {
    body.split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map_or("no code", |(code, _)| code)
}

/// A client of S3, path style.
pub(crate) fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config)
}
