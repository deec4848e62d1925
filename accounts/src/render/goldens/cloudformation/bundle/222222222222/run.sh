#!/usr/bin/env bash
# What no template can do in account 222222222222 without owning what others put there.
# Run it with credentials of that account.

cd "$(dirname "${BASH_SOURCE[0]}")"
. ../steps.sh
begin 222222222222

# carries through: exports-to-glacier
replace lifecycle billing-logs-222222222222-eu eu-west-1 lifecycle-billing-logs-222222222222-eu-before.json lifecycle-billing-logs-222222222222-eu.json
versioning billing-logs-222222222222-eu eu-west-1
# carries through: backup
replace replication exports-logs-222222222222-eu eu-central-1 replication-exports-logs-222222222222-eu-before.json replication-exports-logs-222222222222-eu-canary.json replication-exports-logs-222222222222-eu.json
replace replication billing-logs-222222222222-eu eu-west-1 - replication-billing-logs-222222222222-eu-canary.json replication-billing-logs-222222222222-eu.json
canary exports-logs-222222222222-eu eu-central-1 'AWSLogs/222222222222/weir-canary/'
canary billing-logs-222222222222-eu eu-west-1 'AWSLogs/222222222222/weir-canary/'
# carries through: backup
replace replication exports-logs-222222222222-eu eu-central-1 replication-exports-logs-222222222222-eu-canary.json replication-exports-logs-222222222222-eu.json
replace replication billing-logs-222222222222-eu eu-west-1 replication-billing-logs-222222222222-eu-canary.json replication-billing-logs-222222222222-eu.json

end
