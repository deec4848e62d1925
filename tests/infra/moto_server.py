"""moto's server, with the root elements that S3 has.

moto names the root of some answers after the operation's output instead of as S3 does (its API Reference, "Response
Syntax" of each call). boto3 does not look at that name, the SDK for Rust does, and refuses the answer. Only the name is
put right here; `/_renamed` counts, so that a test sees when moto does it by itself.

moto also answers GetBucketRequestPayment, which it lacks, with a list of objects. Every bucket has S3's default here.
"""

import json
import re
import sys

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

ROOTS = {
    b"GetBucketVersioningResponse": b"VersioningConfiguration",
    b"GetBucketNotificationResponse": b"NotificationConfiguration",
    b"GetBucketLifecycleConfigurationResponse": b"LifecycleConfiguration",
    b"GetBucketLoggingResponse": b"BucketLoggingStatus",
    b"GetBucketRequestPaymentResponse": b"RequestPaymentConfiguration",
    b"GetBucketLocationResponse": b"LocationConstraint",
}
PAYMENT = (
    b'<RequestPaymentConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Payer>BucketOwner</Payer>'
    b"</RequestPaymentConfiguration>"
)
ROOT = re.compile(rb"\A(\s*(?:<\?xml[^>]*\?>)?\s*<)([A-Za-z0-9]+)")


class Roots:
    def __init__(self, application):
        self.application = application
        self.renamed = {}

    def __call__(self, environment, start_response):
        if environment["PATH_INFO"] == "/_renamed":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(self.renamed).encode()]
        if environment["REQUEST_METHOD"] == "GET" and environment["QUERY_STRING"].startswith("requestPayment"):
            start_response("200 OK", [("Content-Type", "application/xml")])
            return [PAYMENT]
        started = []
        parts = self.application(environment, lambda status, headers, *_: started.append((status, headers)))
        body = b"".join(parts)
        (status, headers), found = started[-1], ROOT.match(body[:300])
        if found and found[2] in ROOTS:
            old, new = found[2], ROOTS[found[2]]
            body = body.replace(b"<" + old, b"<" + new, 1).replace(b"</" + old + b">", b"</" + new + b">")
            headers = [(name, str(len(body)) if name.lower() == "content-length" else value) for name, value in headers]
            self.renamed[old.decode()] = self.renamed.get(old.decode(), 0) + 1
        start_response(status, headers)
        return [body]


if __name__ == "__main__":
    application = Roots(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=True)
