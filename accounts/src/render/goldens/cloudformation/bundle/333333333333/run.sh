#!/usr/bin/env bash
# What no template can do in account 333333333333 without owning what others put there.
# Run it with credentials of that account.

cd "$(dirname "${BASH_SOURCE[0]}")"
. ../steps.sh
begin 333333333333

replace replication data-logs-333333333333-eu eu-central-1 - replication-data-logs-333333333333-eu-canary.json replication-data-logs-333333333333-eu.json
canary data-logs-333333333333-eu eu-central-1 'AWSLogs/333333333333/weir-canary/'
replace replication data-logs-333333333333-eu eu-central-1 replication-data-logs-333333333333-eu-canary.json replication-data-logs-333333333333-eu.json

end
