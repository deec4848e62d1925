# The destination bucket of one Region, its key, the queue that hears of new objects, and alarms: the same as
# infra/cloudformation/log-account.yaml. A test holds the two against each other.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account    = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.region
  bucket_arn = "arn:${local.partition}:s3:::${var.bucket_name}"
  role_arns  = "arn:${local.partition}:iam::*:role${var.replication_role_path}*"
  replicas   = concat(["${local.bucket_arn}/AWSLogs/$${aws:PrincipalAccount}/*"], var.additional_replica_arns)
  tags       = { "weir:managed" = "true" }
}

resource "aws_s3_bucket" "logs" {
  bucket              = var.bucket_name
  object_lock_enabled = var.object_lock
  tags                = local.tags

  lifecycle {
    prevent_destroy = true
  }
}

# Replication needs it.
resource "aws_s3_bucket_versioning" "logs" {
  bucket = aws_s3_bucket.logs.id
  versioning_configuration {
    status = "Enabled"
  }
}

# Replicas belong to this account, and no ACL counts.
resource "aws_s3_bucket_ownership_controls" "logs" {
  bucket = aws_s3_bucket.logs.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "logs" {
  bucket                  = aws_s3_bucket.logs.id
  block_public_acls       = true
  ignore_public_acls      = true
  block_public_policy     = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id
  rule {
    bucket_key_enabled = true # one call to KMS for many objects
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.logs.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  bucket     = aws_s3_bucket.logs.id
  depends_on = [aws_s3_bucket_versioning.logs]

  rule {
    id     = "noncurrent-versions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
    dynamic "expiration" {
      for_each = var.retention_days == 0 ? [true] : []
      content {
        expired_object_delete_marker = true
      }
    }
  }

  dynamic "rule" {
    for_each = var.infrequent_access_days > 0 || var.archive_days > 0 ? [true] : []
    content {
      id     = "storage-classes"
      status = "Enabled"
      filter {}
      dynamic "transition" {
        for_each = var.infrequent_access_days > 0 ? [var.infrequent_access_days] : []
        content {
          storage_class = "STANDARD_IA"
          days          = transition.value
        }
      }
      dynamic "transition" {
        for_each = var.archive_days > 0 ? [var.archive_days] : []
        content {
          storage_class = "GLACIER_IR"
          days          = transition.value
        }
      }
    }
  }

  dynamic "rule" {
    for_each = var.retention_days > 0 ? [var.retention_days] : []
    content {
      id     = "retention"
      status = "Enabled"
      filter {}
      expiration {
        days = rule.value
      }
    }
  }
}

resource "aws_s3_bucket_notification" "logs" {
  bucket     = aws_s3_bucket.logs.id
  depends_on = [aws_sqs_queue_policy.queue] # S3 sends a test message, and refuses when it may not

  queue {
    queue_arn = aws_sqs_queue.queue.arn
    events    = ["s3:ObjectCreated:*"]
  }
}

# Constant in size, however many accounts there are. Statements named Weir… are those of `weir accounts`, which would put
# the same; all others are carried through by it.
resource "aws_s3_bucket_policy" "logs" {
  bucket     = aws_s3_bucket.logs.id
  depends_on = [aws_s3_bucket_public_access_block.logs]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = ["s3:*"] # logs never travel in the clear
        Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "WeirReplicate"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action = [
          "s3:ReplicateObject",                  # the bucket lets the replica in
          "s3:ReplicateTags",                    # the bucket lets the replica's tags in
          "s3:ObjectOwnerOverrideToBucketOwner", # the bucket takes ownership of the replica
        ]
        Resource = local.replicas
        Condition = {
          StringEquals = { "aws:PrincipalOrgID" = var.organization_id }
          ArnLike      = { "aws:PrincipalArn" = local.role_arns }
        }
      },
      {
        Sid       = "WeirReadVersioning"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action    = ["s3:GetBucketVersioning"] # the bucket lets S3 check its versioning
        Resource  = local.bucket_arn
        Condition = {
          StringEquals = { "aws:PrincipalOrgID" = var.organization_id }
          ArnLike      = { "aws:PrincipalArn" = local.role_arns }
        }
      },
    ]
  })
}

# A key of our own: no other account can be let in to the key aws/s3.
resource "aws_kms_key" "logs" {
  description             = "Logs in ${var.bucket_name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = local.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AdministerByPoliciesOfThisAccount"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = ["kms:*"] # without it nobody could change the key again; IAM policies of this account decide who may
        Resource  = "*"
      },
      {
        Sid       = "WeirEncryptReplicas"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action = [
          "kms:Encrypt",         # the key encrypts the replica
          "kms:GenerateDataKey", # the key encrypts a replica whose source was not encrypted with KMS, or with a Bucket Key
          "kms:Decrypt",         # a Bucket Key is checked before it is used
        ]
        Resource = "*"
        Condition = {
          StringEquals = {
            "aws:PrincipalOrgID" = var.organization_id
            "kms:ViaService"     = "s3.${local.region}.${data.aws_partition.current.dns_suffix}"
          }
          ArnLike    = { "aws:PrincipalArn" = local.role_arns }
          StringLike = { "kms:EncryptionContext:aws:s3:arn" = concat([local.bucket_arn], local.replicas) }
        }
      },
    ]
  })

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "logs" {
  name          = "alias/weir/${var.bucket_name}"
  target_key_id = aws_kms_key.logs.key_id
}

resource "aws_sqs_queue" "queue" {
  name                       = "weir"
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = var.visibility_timeout_seconds
  message_retention_seconds  = 1209600 # 14 days, the longest: an outage of the hosts loses nothing
  receive_wait_time_seconds  = 20
  tags                       = local.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_receives
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "weir-dead-letters"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
  tags                      = local.tags

  redrive_allow_policy = jsonencode({ # only its own queue may send here
    redrivePermission = "byQueue"
    sourceQueueArns   = ["arn:${local.partition}:sqs:${local.region}:${local.account}:weir"]
  })
}

resource "aws_sqs_queue_policy" "queue" {
  queue_url = aws_sqs_queue.queue.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AnnounceNewObjects"
        Effect    = "Allow"
        Principal = { Service = "s3.amazonaws.com" }
        Action    = ["sqs:SendMessage"] # S3 announces new objects of this bucket, of this account
        Resource  = aws_sqs_queue.queue.arn
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnEquals    = { "aws:SourceArn" = local.bucket_arn }
        }
      },
      {
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = ["sqs:*"] # keys of objects never travel in the clear
        Resource  = aws_sqs_queue.queue.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic" "alarms" {
  name = "weir-alarms"
}

resource "aws_sns_topic_subscription" "alarms" {
  count     = var.alarm_email == "" ? 0 : 1
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["sns:Publish"] # alarms of queue, hosts and domain tell people
        Resource  = aws_sns_topic.alarms.arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        Sid       = "AlarmsOfMembers"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["sns:Publish"] # replication alarms of the members tell people
        Resource  = aws_sns_topic.alarms.arn
        Condition = {
          StringEquals = { "aws:SourceOrgID" = var.organization_id }
          ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:cloudwatch:${local.region}:*:alarm:weir-*" }
        }
      },
    ]
  })
}

resource "aws_cloudwatch_metric_alarm" "queue_age" {
  alarm_name          = "weir-queue-age"
  alarm_description   = "New objects wait too long. Are hosts running, and are there enough of them?"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.queue.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = var.max_message_age_seconds
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching" # SQS sends no metrics for a queue that has been idle for hours
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "weir-dead-letters"
  alarm_description   = "An object could not be read. The message names it; redrive it once the cause is gone."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}
