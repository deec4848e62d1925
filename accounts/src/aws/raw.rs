//! Documents as they go over the wire.
//!
//! The typed output of the SDK drops the elements that it does not know, and its typed input cannot express them. A
//! configuration that others share with us must survive both ways, so [`Capture`] keeps the bytes of an answer and
//! [`Body`] puts a document of ours in the place of the serialized one, before the SDK adds checksum and signature.
//! What is then about to be sent is compared with what was meant, and the call fails if it differs.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
    BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use std::sync::{Arc, Mutex, PoisonError};

/// Keeps the body of the last answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Capture(Arc<Mutex<Option<Vec<u8>>>>);

impl Capture {
    /// The body, as text; `None` before an answer and for a body that is not UTF-8, which no configuration is.
    pub(super) fn text(&self) -> Option<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        String::from_utf8(bytes).ok()
    }
}

impl Intercept for Capture {
    fn name(&self) -> &'static str {
        "weir.capture"
    }

    // Only now is the body in memory: before, it is still being received.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let bytes = context.response().body().bytes().map(<[u8]>::to_vec);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
        Ok(())
    }
}

/// Sends this document as the body.
#[derive(Clone, Debug)]
pub(super) struct Body(pub(super) String);

/// What was about to be sent is not what was meant.
#[derive(Debug, thiserror::Error)]
#[error(
    "the body about to be sent is not the document that was planned; this is a fault of weir: please report it"
)]
pub(super) struct WrongBody;

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "weir.body"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request.headers_mut().insert("content-length", self.0.len().to_string());
        *request.body_mut() = SdkBody::from(self.0.as_str());
        Ok(())
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.request().body().bytes() == Some(self.0.as_bytes()) {
            Ok(())
        } else {
            Err(WrongBody.into())
        }
    }
}
