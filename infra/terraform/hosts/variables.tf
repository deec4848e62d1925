variable "hosts" {
  type        = number
  default     = 2
  description = "How many hosts share the queue."
}

variable "image" {
  type        = string
  description = "The image that infra/container/Containerfile builds, by digest, in a repository of this account."
}

variable "cpu" {
  type        = number
  default     = 2048
  description = "Of a host, in 1/1024 of a core."
}

variable "memory_mib" {
  type        = number
  default     = 8192
  description = "Of a host; Fargate takes certain sizes for each Cpu."
}

variable "storage_gib" {
  type        = number
  default     = 100
  description = "A host's own disk. It is gone with the host; what is durable is in OpenSearch and in the archive."
}

variable "vpc_id" {
  type        = string
  description = "Where the hosts run."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets with a way to S3, SQS, KMS, CloudWatch Logs, SSM and ECR (endpoints or NAT)."
}

variable "bucket_name" {
  type        = string
  description = "The output bucket_name of the module log-account."
}

variable "key_arn" {
  type        = string
  description = "The output key_arn of the module log-account."
}

variable "queue_arn" {
  type        = string
  description = "The output queue_arn of the module log-account."
}

variable "domain_name" {
  type        = string
  default     = ""
  description = "The OpenSearch domain that hosts write to; empty for none."
}

variable "archive_bucket_name" {
  type        = string
  default     = ""
  description = "The bucket of the Parquet archive; empty for none."
}

variable "configuration_parameter_name" {
  type        = string
  default     = "/weir/weir.toml"
  description = "The SSM parameter whose text is the hosts' weir.toml."
}

variable "token_secret_arn" {
  type        = string
  description = "The secret whose text is the token of the hosts' HTTP service; at least 16 characters."
}

variable "alarms_arn" {
  type        = string
  description = "The output alarms_arn of the module log-account."
}
