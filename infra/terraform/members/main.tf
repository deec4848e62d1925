# The roles that `weir accounts` assumes, and the members' replication alarms. They are rolled out by CloudFormation, since
# a StackSet reaches accounts that join later by itself; the templates are those of infra/cloudformation, so that every
# policy is written once.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source                = "hashicorp/aws"
      version               = ">= 6.0"
      configuration_aliases = [aws, aws.log_account]
    }
  }
}

locals {
  caller = {
    RoleName       = var.role_name
    ExternalId     = var.external_id
    CallerArn      = var.caller_arn
    OrganizationId = var.organization_id
    Mode           = var.mode
  }
  tags = { "weir:managed" = "true" }
}

resource "aws_cloudformation_stack" "log_account_role" {
  provider      = aws.log_account
  name          = "weir-log-account-role"
  capabilities  = ["CAPABILITY_NAMED_IAM"]
  template_body = file("${path.module}/../../cloudformation/log-account-role.yaml")
  parameters    = merge(local.caller, { BucketArns = join(",", var.bucket_arns) })
  tags          = local.tags
}

resource "aws_cloudformation_stack_set" "member_role" {
  name             = "weir-member-role"
  description      = "The role that weir accounts assumes in every member"
  permission_model = "SERVICE_MANAGED"
  call_as          = var.call_as
  capabilities     = ["CAPABILITY_NAMED_IAM"]
  template_body    = file("${path.module}/../../cloudformation/member-role.yaml")
  parameters       = merge(local.caller, { SharedRoleArns = join(",", var.shared_role_arns), SourceBucketPattern = var.source_bucket_pattern })
  tags             = local.tags

  auto_deployment {
    enabled                          = true
    retain_stacks_on_account_removal = false
  }
  operation_preferences {
    # An account that cannot be reached stops nobody else.
    failure_tolerance_percentage = 100
    max_concurrent_percentage    = 100
  }
}

resource "aws_cloudformation_stack_set_instance" "member_role" {
  stack_set_name            = aws_cloudformation_stack_set.member_role.name
  stack_set_instance_region = var.home_region # roles are global: one Region
  call_as                   = var.call_as

  deployment_targets {
    organizational_unit_ids = var.unit_ids
  }
}

resource "aws_cloudformation_stack_set" "member_alarms" {
  for_each         = var.destinations
  name             = "weir-member-alarms-${each.key}"
  description      = "Alarms for replication that fails or lags"
  permission_model = "SERVICE_MANAGED"
  call_as          = var.call_as
  template_body    = file("${path.module}/../../cloudformation/member-alarms.yaml")
  parameters       = { DestinationBucket = each.value.bucket, AlarmsArn = each.value.alarms_arn }
  tags             = local.tags

  auto_deployment {
    enabled                          = true
    retain_stacks_on_account_removal = false
  }
  operation_preferences {
    failure_tolerance_percentage = 100
    max_concurrent_percentage    = 100
  }
}

resource "aws_cloudformation_stack_set_instance" "member_alarms" {
  for_each                  = var.destinations
  stack_set_name            = aws_cloudformation_stack_set.member_alarms[each.key].name
  stack_set_instance_region = each.key
  call_as                   = var.call_as

  deployment_targets {
    organizational_unit_ids = var.unit_ids
  }
}

variable "role_name" {
  type        = string
  default     = "weir-onboarding"
  description = "accounts.toml, [members]: role"
}

variable "external_id" {
  type        = string
  default     = ""
  sensitive   = true
  description = "accounts.toml, [members]: external-id; empty asks for none."
}

variable "caller_arn" {
  type        = string
  description = "Who runs `weir accounts`: a role of the management account or of a delegated administrator."
}

variable "organization_id" {
  type        = string
  description = "The caller must be in this organization."
}

variable "mode" {
  type        = string
  default     = "apply"
  description = "verify lets the roles look and write canaries, and change nothing."
  validation {
    condition     = contains(["apply", "verify"], var.mode)
    error_message = "It is apply or verify."
  }
}

variable "bucket_arns" {
  type        = list(string)
  description = "The destination buckets of all Regions."
}

variable "source_bucket_pattern" {
  type        = string
  default     = "*"
  description = "The names of log buckets, such as *-logs-*; other buckets are then neither read nor changed."
}

variable "shared_role_arns" {
  type        = list(string)
  default     = []
  description = "Roles of others that replicate for us, as ARN patterns."
}

variable "unit_ids" {
  type        = list(string)
  description = "Organizational units, or the root, whose accounts get the role."
}

variable "home_region" {
  type        = string
  description = "Where the StackSet makes the roles."
}

variable "destinations" {
  type        = map(object({ bucket = string, alarms_arn = string }))
  default     = {}
  description = "By Region: the destination bucket and the topic of its alarms. Members get replication alarms for each."
}

variable "call_as" {
  type        = string
  default     = "SELF"
  description = "DELEGATED_ADMIN where StackSets are administered outside of the management account."
}

output "member_role_stack_set" {
  description = "The StackSet of the role."
  value       = aws_cloudformation_stack_set.member_role.name
}
