//! SQS: the queue that the log account's buckets tell of new objects.

use super::error::CallError;
use super::session::Session;
use crate::ids::{Arn, Region};
use crate::inventory::Queue;
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;

/// The calls to SQS.
#[async_trait]
pub trait Sqs: Send + Sync {
    /// The queue and its policy.
    async fn queue(&self, queue: &Arn) -> Result<Queue, CallError>;
}

struct Calls<'a> {
    session: &'a Session,
    region: Region,
    client: Client,
}

impl Session {
    /// SQS in `region`.
    pub fn sqs(&self, region: &Region) -> impl Sqs + '_ {
        let config = aws_sdk_sqs::config::Builder::from(&self.config(region))
            .retry_partition(self.partition())
            .interceptor(self.observer())
            .build();
        Calls { session: self, region: region.clone(), client: Client::from_conf(config) }
    }
}

impl Calls<'_> {
    async fn url(&self, queue: &Arn) -> Result<String, CallError> {
        let call = self.session.call("sqs", "GetQueueUrl", &self.region, queue.as_str());
        let owner = queue.account().map(|account| account.to_string());
        let answer = self
            .session
            .run(&call, None, || {
                self.client
                    .get_queue_url()
                    .queue_name(queue.resource())
                    .set_queue_owner_aws_account_id(owner.clone())
                    .send()
            })
            .await?;
        answer.queue_url().map(str::to_owned).ok_or_else(|| CallError::ours(call, "the answer has no URL"))
    }
}

#[async_trait]
impl Sqs for Calls<'_> {
    async fn queue(&self, queue: &Arn) -> Result<Queue, CallError> {
        let url = match self.url(queue).await {
            Err(error) if error.is_not_found() => {
                return Ok(Queue { arn: queue.clone(), exists: false, policy: None });
            }
            url => url?,
        };
        let call = self.session.call("sqs", "GetQueueAttributes", &self.region, queue.as_str());
        let answer = self
            .session
            .run(&call, None, || {
                self.client
                    .get_queue_attributes()
                    .queue_url(&url)
                    .attribute_names(QueueAttributeName::Policy)
                    .send()
            })
            .await?;
        let policy = answer.attributes().and_then(|attributes| attributes.get(&QueueAttributeName::Policy));
        Ok(Queue {
            arn: queue.clone(),
            exists: true,
            policy: policy.filter(|policy| !policy.is_empty()).cloned(),
        })
    }
}
