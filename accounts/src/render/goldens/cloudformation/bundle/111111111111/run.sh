#!/usr/bin/env bash
# What no template can do in account 111111111111 without owning what others put there.
# Run it with credentials of that account.

cd "$(dirname "${BASH_SOURCE[0]}")"
. ../steps.sh
begin 111111111111

replace lifecycle shop-logs-111111111111-eu-central-1 eu-central-1 - lifecycle-shop-logs-111111111111-eu-central-1.json
versioning shop-logs-111111111111-eu-central-1 eu-central-1
replace replication shop-logs-111111111111-eu-central-1 eu-central-1 - replication-shop-logs-111111111111-eu-central-1-canary.json replication-shop-logs-111111111111-eu-central-1.json
replace replication shop-logs-111111111111-us.east us-east-1 - replication-shop-logs-111111111111-us.east-canary.json replication-shop-logs-111111111111-us.east.json
canary shop-logs-111111111111-eu-central-1 eu-central-1 'AWSLogs/111111111111/weir-canary/'
canary shop-logs-111111111111-us.east us-east-1 'AWSLogs/111111111111/weir-canary/'
replace replication shop-logs-111111111111-eu-central-1 eu-central-1 replication-shop-logs-111111111111-eu-central-1-canary.json replication-shop-logs-111111111111-eu-central-1.json
replace replication shop-logs-111111111111-us.east us-east-1 replication-shop-logs-111111111111-us.east-canary.json replication-shop-logs-111111111111-us.east.json

end
