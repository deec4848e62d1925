# `weir accounts status --json` on a schedule and whenever an account joins, moves or leaves: an example. It is rolled out
# by CloudFormation with the template of infra/cloudformation, so that the rules and the policies are written once.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

resource "aws_cloudformation_stack" "drift" {
  name          = "weir-drift"
  capabilities  = ["CAPABILITY_IAM"]
  template_body = file("${path.module}/../../cloudformation/drift.yaml")
  tags          = { "weir:managed" = "true" }

  parameters = {
    Image                     = var.image
    RegistryArn               = var.registry_arn
    VpcId                     = var.vpc_id
    SubnetIds                 = join(",", var.subnet_ids)
    Schedule                  = var.schedule
    AccountsTomlParameterName = var.accounts_toml_parameter_name
    MemberRoleName            = var.member_role_name
    OrganizationId            = var.organization_id
    ManagementAccountId       = var.management_account_id
    AlarmEmail                = var.alarm_email
  }
}

variable "image" {
  type        = string
  description = "The image that infra/container/Containerfile builds, by digest."
}

variable "registry_arn" {
  type        = string
  description = "The image's repository in ECR, as an ARN; it may be in the log account."
}

variable "vpc_id" {
  type        = string
  description = "Of the subnets."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets with a way to AWS (endpoints or NAT)."
}

variable "schedule" {
  type        = string
  default     = "rate(6 hours)"
  description = "How often the whole organization is looked at."
}

variable "accounts_toml_parameter_name" {
  type        = string
  default     = "/weir/accounts.toml"
  description = "The SSM parameter whose text is accounts.toml; above 4 KB it must be of the advanced tier."
}

variable "member_role_name" {
  type        = string
  default     = "weir-onboarding"
  description = "The role that is assumed in the members and in the log account."
}

variable "organization_id" {
  type        = string
  description = "Its management account may send events to the bus."
}

variable "management_account_id" {
  type        = string
  description = "The account that organization-events.yaml is deployed in."
}

variable "alarm_email" {
  type        = string
  default     = ""
  description = "Who is told of drift by mail; empty for nobody."
}

output "stack" {
  description = "BusArn is what organization-events.yaml takes, StatusRoleArn what the module `members` takes as caller_arn."
  value       = aws_cloudformation_stack.drift.outputs
}
