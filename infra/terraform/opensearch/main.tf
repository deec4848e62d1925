# An OpenSearch domain inside the VPC, which only the hosts and named roles reach, with alarms: the same as
# infra/cloudformation/opensearch.yaml.

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
  everything = "arn:${local.partition}:es:${local.region}:${local.account}:domain/${var.domain_name}/*"
  dimensions = { DomainName = var.domain_name, ClientId = local.account }
  tags       = { "weir:managed" = "true" }
}

resource "aws_security_group" "domain" {
  description = "The OpenSearch domain of Weir"
  vpc_id      = var.vpc_id
  tags        = local.tags

  ingress {
    description     = "Hosts write events"
    protocol        = "tcp"
    from_port       = 443
    to_port         = 443
    security_groups = [var.host_security_group_id]
  }
}

resource "aws_cloudwatch_log_group" "domain" {
  name              = "/aws/opensearch/${var.domain_name}"
  retention_in_days = 90
}

resource "aws_cloudwatch_log_resource_policy" "domain" {
  policy_name = "weir-opensearch-${var.domain_name}"

  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DomainWritesItsLogs"
      Effect    = "Allow"
      Principal = { Service = "es.amazonaws.com" }
      Action = [
        "logs:PutLogEvents",    # what the domain says
        "logs:CreateLogStream", # a stream for each node
      ]
      Resource  = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/opensearch/${var.domain_name}:*"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_opensearch_domain" "weir" {
  domain_name    = var.domain_name
  engine_version = var.engine_version
  depends_on     = [aws_cloudwatch_log_resource_policy.domain]
  tags           = local.tags

  cluster_config {
    instance_type            = var.instance_type
    instance_count           = var.data_nodes
    zone_awareness_enabled   = true
    dedicated_master_enabled = var.dedicated_masters
    dedicated_master_count   = var.dedicated_masters ? 3 : null
    dedicated_master_type    = var.dedicated_masters ? var.master_instance_type : null
    zone_awareness_config {
      availability_zone_count = 3
    }
  }
  ebs_options {
    ebs_enabled = true
    volume_type = "gp3"
    volume_size = var.volume_gib
  }
  vpc_options {
    subnet_ids         = var.subnet_ids
    security_group_ids = [aws_security_group.domain.id]
  }
  encrypt_at_rest {
    enabled    = true
    kms_key_id = var.key_arn
  }
  node_to_node_encryption {
    enabled = true
  }
  domain_endpoint_options {
    enforce_https       = true
    tls_security_policy = "Policy-Min-TLS-1-2-PFS-2023-10"
  }
  advanced_security_options {
    enabled                        = true
    internal_user_database_enabled = false
    master_user_options {
      master_user_arn = var.administrator_role_arn
    }
  }
  log_publishing_options {
    log_type                 = "ES_APPLICATION_LOGS"
    cloudwatch_log_group_arn = aws_cloudwatch_log_group.domain.arn
  }
  log_publishing_options {
    log_type                 = "AUDIT_LOGS"
    cloudwatch_log_group_arn = aws_cloudwatch_log_group.domain.arn
  }
  off_peak_window_options {
    enabled = true
  }
  software_update_options {
    auto_software_update_enabled = true
  }

  access_policies = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "HostsWriteEvents"
        Effect    = "Allow"
        Principal = { AWS = var.host_role_arn }
        Action = [
          "es:ESHttpPost", # writes events in bulk, and deletes documents that a new parsing no longer gives
          "es:ESHttpPut",  # puts index templates
          "es:ESHttpGet",  # reads the version and what is there
          "es:ESHttpHead", # looks whether an index is there
        ]
        Resource = local.everything
      },
      {
        Sid       = "AdministratorsAndDashboards"
        Effect    = "Allow"
        Principal = { AWS = var.administrator_role_arn }
        Action    = ["es:ESHttp*"] # the domain's own security decides what the administrator may
        Resource  = local.everything
      },
    ]
  })

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_cloudwatch_metric_alarm" "red" {
  alarm_name          = "weir-opensearch-red"
  alarm_description   = "A primary shard is not allocated; events of its index cannot be written."
  namespace           = "AWS/ES"
  metric_name         = "ClusterStatus.red"
  dimensions          = local.dimensions
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarms_arn]
  ok_actions          = [var.alarms_arn]
}

resource "aws_cloudwatch_metric_alarm" "storage" {
  alarm_name          = "weir-opensearch-storage"
  alarm_description   = "A node has less than 20 GiB left; OpenSearch soon refuses writes."
  namespace           = "AWS/ES"
  metric_name         = "FreeStorageSpace"
  dimensions          = local.dimensions
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 20480 # MiB
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarms_arn]
  ok_actions          = [var.alarms_arn]
}
