#!/usr/bin/env bash
# What no template can do in account 999999999999 without owning what others put there.
# Run it with credentials of that account.

cd "$(dirname "${BASH_SOURCE[0]}")"
. ../steps.sh
begin 999999999999

# carries through: Administrators
replace key-policy arn:aws:kms:eu-central-1:999999999999:key/11111111-2222-3333-4444-555555555555 eu-central-1 key-policy-11111111-2222-3333-4444-555555555555-before.json key-policy-11111111-2222-3333-4444-555555555555.json
# carries through: DenyInsecureTransport
replace bucket-policy central-logs eu-central-1 bucket-policy-central-logs-before.json bucket-policy-central-logs.json
# carries through: thumbnails
replace notification central-logs eu-central-1 notification-central-logs-before.json notification-central-logs.json

end
