# Steps that the accounts' scripts share. Needs bash, the AWS CLI and python3.
#
# Exit codes are those of `weir accounts`: 0 done, 3 something failed, 4 stopped before writing. A script that ended early
# can be run again: what is done already is left as it is.

set -euo pipefail
export AWS_PAGER=""

# Seconds that S3 asks to wait after versioning was enabled for the first time, and that a canary may take.
: "${WEIR_VERSIONING_WAIT:=900}"
: "${WEIR_CANARY_WAIT:=900}"

waits_for_versioning=""
# Buckets whose rules are wide, which a canary has been seen for.
proven=""

say() { printf '%s\n' "$*"; }

stop() {
    printf 'stopped: %s\n' "$2" >&2
    exit "$1"
}

# begin ACCOUNT
begin() {
    account=$1
    local actual
    actual=$(aws sts get-caller-identity --query Account --output text) ||
        stop 4 "no credentials that AWS takes; assume a role in account $account first"
    [ "$actual" = "$account" ] ||
        stop 4 "these are credentials of account $actual; assume a role in account $account first"
}

end() { say "account $account is done; prove it with: weir accounts verify"; }

# A document in an order of its own, so that two that say the same look the same.
canonical() {
    python3 -c '
import json, sys

def order(value):
    if isinstance(value, dict):
        return {name: order(item) for name, item in value.items()}
    if isinstance(value, list):
        return sorted((order(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value

text = sys.stdin.read().strip()
print(json.dumps(order(json.loads(text)), sort_keys=True) if text else "none")
'
}

# ask NOT_FOUND COMMAND…: what the command prints; nothing when AWS says NOT_FOUND.
ask() {
    local absent=$1 answer errors
    shift
    errors=$(mktemp)
    if answer=$("$@" 2>"$errors"); then
        rm -f "$errors"
        printf '%s' "$answer"
        return 0
    fi
    if grep -q "($absent)" "$errors"; then
        rm -f "$errors"
        return 0
    fi
    cat "$errors" >&2
    rm -f "$errors"
    return 1
}

# s3 COMMAND BUCKET REGION …: never a bucket of somebody else.
s3() {
    local command=$1 bucket=$2 region=$3
    shift 3
    aws s3api "$command" --bucket "$bucket" --region "$region" --expected-bucket-owner "$account" "$@"
}

# current KIND TARGET REGION
current() {
    case $1 in
    replication)
        ask ReplicationConfigurationNotFoundError s3 get-bucket-replication "$2" "$3" \
            --query ReplicationConfiguration --output json | canonical
        ;;
    lifecycle)
        ask NoSuchLifecycleConfiguration s3 get-bucket-lifecycle-configuration "$2" "$3" \
            --query '{Rules: Rules}' --output json | canonical
        ;;
    notification)
        # Without a configuration the CLI prints nothing, or an empty object.
        ask NoSuchConfiguration s3 get-bucket-notification-configuration "$2" "$3" --output json | canonical |
            sed 's/^{}$/none/'
        ;;
    bucket-policy)
        ask NoSuchBucketPolicy s3 get-bucket-policy "$2" "$3" --query Policy --output text | canonical
        ;;
    key-policy)
        ask NotFoundException aws kms get-key-policy --key-id "$2" --region "$3" --policy-name default \
            --query Policy --output text | canonical
        ;;
    esac
}

# put KIND TARGET REGION FILE
put() {
    case $1 in
    replication) s3 put-bucket-replication "$2" "$3" --replication-configuration "file://$4" ;;
    lifecycle) s3 put-bucket-lifecycle-configuration "$2" "$3" --lifecycle-configuration "file://$4" >/dev/null ;;
    notification) s3 put-bucket-notification-configuration "$2" "$3" --notification-configuration "file://$4" ;;
    bucket-policy) s3 put-bucket-policy "$2" "$3" --policy "file://$4" ;;
    key-policy) aws kms put-key-policy --key-id "$2" --region "$3" --policy-name default --policy "file://$4" ;;
    esac
}

# replace KIND TARGET REGION BEFORE AFTER [LATER]: puts AFTER where BEFORE is; `-` stands for nothing. Where LATER is there
# already, as in a second run, a wide rule is not narrowed to its canary again.
replace() {
    local kind=$1 target=$2 region=$3 before=$4 after=$5 later=${6:-} now expected wanted
    now=$(current "$kind" "$target" "$region") || stop 3 "cannot read the $kind of $target"
    wanted=$(canonical <"$after")
    if [ "$now" = "$wanted" ]; then
        say "unchanged: the $kind of $target"
        return
    fi
    if [ -n "$later" ] && [ "$now" = "$(canonical <"$later")" ]; then
        say "unchanged: the $kind of $target, which is wide already"
        proven="$proven $target "
        return
    fi
    if [ "$before" = - ]; then expected=none; else expected=$(canonical <"$before"); fi
    [ "$now" = "$expected" ] ||
        stop 3 "the $kind of $target is not as it was when this was rendered; run weir accounts render again"
    if [ "$kind" = replication ]; then wait_for_versioning; fi
    put "$kind" "$target" "$region" "$after" || stop 3 "cannot put the $kind of $target"
    say "put: the $kind of $target"
}

# versioning BUCKET REGION
versioning() {
    local now
    now=$(s3 get-bucket-versioning "$1" "$2" --query Status --output text) || stop 3 "cannot read the versioning of $1"
    if [ "$now" = Enabled ]; then
        say "unchanged: the versioning of $1"
        return
    fi
    s3 put-bucket-versioning "$1" "$2" --versioning-configuration Status=Enabled || stop 3 "cannot enable the versioning of $1"
    waits_for_versioning=yes
    say "put: the versioning of $1"
}

wait_for_versioning() {
    if [ -n "$waits_for_versioning" ]; then
        say "waiting $WEIR_VERSIONING_WAIT seconds, as S3 asks for after versioning is enabled"
        sleep "$WEIR_VERSIONING_WAIT"
        waits_for_versioning=""
    fi
}

# ownership BUCKET REGION
ownership() {
    s3 put-bucket-ownership-controls "$1" "$2" \
        --ownership-controls 'Rules=[{ObjectOwnership=BucketOwnerEnforced}]' || stop 3 "cannot set the ownership of $1"
    say "put: the ownership of $1"
}

# public_access_block BUCKET REGION
public_access_block() {
    s3 put-public-access-block "$1" "$2" --public-access-block-configuration \
        BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true ||
        stop 3 "cannot set the public access block of $1"
    say "put: the public access block of $1"
}

# canary BUCKET REGION PREFIX: an object under the prefix must reach the destination before any log may follow.
canary() {
    local bucket=$1 region=$2 key status deadline body
    case $proven in *" $bucket "*) return ;; esac
    key="$3$(date -u +%Y%m%dT%H%M%SZ)-$$"
    body=$(mktemp)
    printf 'weir canary\n' >"$body"
    s3 put-object "$bucket" "$region" --key "$key" --body "$body" >/dev/null || stop 3 "cannot write a canary to $bucket"
    rm -f "$body"
    deadline=$((SECONDS + WEIR_CANARY_WAIT))
    while :; do
        status=$(s3 head-object "$bucket" "$region" --key "$key" --query ReplicationStatus --output text) ||
            stop 3 "cannot read the canary $key in $bucket"
        case $status in
        COMPLETED)
            say "seen: the canary $key of $bucket"
            return
            ;;
        FAILED)
            stop 3 "the canary $key of $bucket was not replicated; no log was touched. weir accounts plan names the statement that denies it"
            ;;
        esac
        [ "$SECONDS" -lt "$deadline" ] ||
            stop 3 "the canary $key of $bucket is still ${status/None/without a replication status}; run this again"
        sleep 10
    done
}
