# N hosts as an ECS service on Fargate, their role, and an alarm: the same as infra/cloudformation/hosts.yaml.

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
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  parameter = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${var.configuration_parameter_name}"
  tags      = { "weir:managed" = "true" }
}

resource "aws_iam_role" "host" {
  name_prefix = "weir-host-"
  description = "Hosts of Weir read logs with this role."
  tags        = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TasksOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "ecs-tasks.amazonaws.com" }
        Action    = ["sts:AssumeRole"] # hosts on Fargate
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        Sid       = "Instances"
        Effect    = "Allow"
        Principal = { Service = "ec2.amazonaws.com" }
        Action    = ["sts:AssumeRole"] # hosts on EC2
      },
    ]
  })
}

resource "aws_iam_policy" "host" {
  name_prefix = "weir-host-"
  description = "What a host of Weir may do."

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid    = "ReceiveAnnouncements"
          Effect = "Allow"
          Action = [
            "sqs:ReceiveMessage",          # hears of new objects
            "sqs:DeleteMessage",           # acknowledges an object whose events are durable
            "sqs:ChangeMessageVisibility", # keeps a large object while working on it, gives up one that it cannot finish
            "sqs:GetQueueAttributes",      # tells how much waits
          ]
          Resource = [var.queue_arn]
        },
        {
          Sid    = "ReadLogs"
          Effect = "Allow"
          Action = [
            "s3:GetObject",        # reads the object
            "s3:GetObjectVersion", # reads the version that the announcement names
          ]
          Resource = ["arn:${local.partition}:s3:::${var.bucket_name}/*"]
        },
        {
          Sid      = "TellMissingFromForbidden"
          Effect   = "Allow"
          Action   = ["s3:ListBucket"] # S3 answers 403 for a deleted object otherwise, which looks like a broken policy
          Resource = ["arn:${local.partition}:s3:::${var.bucket_name}"]
        },
      ],
      [{
        Sid       = "DecryptLogs"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"] # reads replicas, which are encrypted with the bucket's key
        Resource  = [var.key_arn]
        Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.${data.aws_partition.current.dns_suffix}" } }
      }],
      var.domain_name == "" ? [] : [{
        Sid    = "WriteEvents"
        Effect = "Allow"
        Action = [
          "es:ESHttpPost", # writes events in bulk, and deletes documents that a new parsing no longer gives
          "es:ESHttpPut",  # puts index templates
          "es:ESHttpGet",  # reads the version and what is there
          "es:ESHttpHead", # looks whether an index is there
        ]
        Resource = ["arn:${local.partition}:es:${local.region}:${local.account}:domain/${var.domain_name}/*"]
      }],
      var.archive_bucket_name == "" ? [] : [
        {
          Sid    = "WriteArchive"
          Effect = "Allow"
          Action = [
            "s3:PutObject",            # writes files of the archive, and the manifests of compactions
            "s3:GetObject",            # reads files that are compacted
            "s3:DeleteObject",         # removes files that a compaction replaced
            "s3:AbortMultipartUpload", # leaves no parts of an upload that failed
          ]
          Resource = ["arn:${local.partition}:s3:::${var.archive_bucket_name}/*"]
        },
        {
          Sid      = "ListArchive"
          Effect   = "Allow"
          Action   = ["s3:ListBucket"] # finds the files that are compacted
          Resource = ["arn:${local.partition}:s3:::${var.archive_bucket_name}"]
        },
      ],
    )
  })
}

resource "aws_iam_role_policy_attachment" "host" {
  role       = aws_iam_role.host.name
  policy_arn = aws_iam_policy.host.arn
}

resource "aws_iam_instance_profile" "host" {
  name_prefix = "weir-host-"
  role        = aws_iam_role.host.name
}

resource "aws_iam_role" "start" {
  name_prefix = "weir-start-"
  description = "ECS starts hosts of Weir with this role; the hosts themselves do not have it."

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TasksOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = ["sts:AssumeRole"] # ECS starts the hosts
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_policy" "start" {
  name_prefix = "weir-start-"
  description = "What ECS needs to start a host of Weir."

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "SignInToTheRegistry"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"] # signs in to the registry
        Resource = ["*"]                         # the action takes no other
      },
      {
        Sid    = "PullTheImage"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", # finds which layers it lacks
          "ecr:BatchGetImage",               # reads the image's manifest
          "ecr:GetDownloadUrlForLayer",      # pulls layers
        ]
        Resource = ["arn:${local.partition}:ecr:${local.region}:${local.account}:repository/*"]
      },
      {
        Sid    = "WriteTheLog"
        Effect = "Allow"
        Action = [
          "logs:CreateLogStream", # a stream for each host
          "logs:PutLogEvents",    # what the host says
        ]
        Resource = ["${aws_cloudwatch_log_group.hosts.arn}:*"]
      },
      {
        Sid      = "ReadTheConfiguration"
        Effect   = "Allow"
        Action   = ["ssm:GetParameters"] # hands weir.toml to the host
        Resource = [local.parameter]
      },
      {
        Sid      = "ReadTheToken"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"] # hands the token to the host
        Resource = [var.token_secret_arn]
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "start" {
  role       = aws_iam_role.start.name
  policy_arn = aws_iam_policy.start.arn
}

resource "aws_cloudwatch_log_group" "hosts" {
  name              = "/weir/hosts"
  retention_in_days = 90
}

resource "aws_security_group" "hosts" {
  description = "Hosts of Weir"
  vpc_id      = var.vpc_id
  tags        = local.tags

  egress {
    description = "AWS services and OpenSearch"
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_ecs_cluster" "weir" {
  name = "weir"
  tags = local.tags

  setting {
    name  = "containerInsights" # counts the hosts that run
    value = "enabled"
  }
}

resource "aws_ecs_task_definition" "weir" {
  family                   = "weir"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory_mib
  task_role_arn            = aws_iam_role.host.arn
  execution_role_arn       = aws_iam_role.start.arn
  depends_on               = [aws_iam_role_policy_attachment.host, aws_iam_role_policy_attachment.start]

  ephemeral_storage {
    size_in_gib = var.storage_gib
  }
  runtime_platform {
    cpu_architecture        = "X86_64"
    operating_system_family = "LINUX"
  }
  volume {
    name = "data"
  }
  volume {
    name = "configuration"
  }

  container_definitions = jsonencode([{
    name                   = "weir"
    image                  = var.image
    essential              = true
    readonlyRootFilesystem = true
    user                   = "10001:10001"
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    mountPoints = [
      { sourceVolume = "data", containerPath = "/var/lib/weir", readOnly = false },
      { sourceVolume = "configuration", containerPath = "/run/weir", readOnly = false },
    ]
    environment = [
      { name = "WEIR__DATA", value = "/var/lib/weir" },
      { name = "WEIR__SERVE__LISTEN", value = "0.0.0.0:7413" },
      { name = "AWS_REGION", value = local.region },
    ]
    secrets = [
      { name = "WEIR_TOML", valueFrom = local.parameter },
      { name = "WEIR__SERVE__TOKEN", valueFrom = var.token_secret_arn },
    ]
    portMappings = [{ containerPort = 7413, protocol = "tcp" }]
    healthCheck = {
      command     = ["CMD", "/usr/local/bin/healthy"]
      interval    = 15
      timeout     = 5
      retries     = 4
      startPeriod = 120 # a host compiles its parsers first
    }
    stopTimeout = 120 # a host finishes the objects that it has begun
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.hosts.name
        awslogs-region        = local.region
        awslogs-stream-prefix = "host"
      }
    }
  }])
}

resource "aws_ecs_service" "weir" {
  name                               = "weir"
  cluster                            = aws_ecs_cluster.weir.arn
  task_definition                    = aws_ecs_task_definition.weir.arn
  launch_type                        = "FARGATE"
  desired_count                      = var.hosts
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  propagate_tags                     = "SERVICE"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    assign_public_ip = false
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.hosts.id]
  }
}

resource "aws_cloudwatch_metric_alarm" "hosts_unhealthy" {
  alarm_name          = "weir-hosts-unhealthy"
  alarm_description   = "Fewer hosts run than should. ECS replaces a host that fails its health check, so this means that new ones fail too."
  evaluation_periods  = 10
  datapoints_to_alarm = 8
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "missing"
  alarm_actions       = [var.alarms_arn]
  ok_actions          = [var.alarms_arn]

  metric_query {
    id          = "missing"
    label       = "missing hosts"
    expression  = "desired - running"
    return_data = true
  }
  metric_query {
    id          = "desired"
    return_data = false
    metric {
      namespace   = "ECS/ContainerInsights"
      metric_name = "DesiredTaskCount"
      stat        = "Maximum"
      period      = 60
      dimensions  = { ClusterName = aws_ecs_cluster.weir.name, ServiceName = aws_ecs_service.weir.name }
    }
  }
  metric_query {
    id          = "running"
    return_data = false
    metric {
      namespace   = "ECS/ContainerInsights"
      metric_name = "RunningTaskCount"
      stat        = "Minimum"
      period      = 60
      dimensions  = { ClusterName = aws_ecs_cluster.weir.name, ServiceName = aws_ecs_service.weir.name }
    }
  }
}
