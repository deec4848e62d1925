variable "bucket_name" {
  type        = string
  description = "The destination bucket. Names are unique in the whole partition."
}

variable "organization_id" {
  type        = string
  description = "Only roles of this organization may replicate into the bucket. It looks like o-a1b2c3d4e5."
  validation {
    condition     = can(regex("^o-[a-z0-9]{10,32}$", var.organization_id))
    error_message = "It looks like o-a1b2c3d4e5."
  }
}

variable "additional_replica_arns" {
  type        = list(string)
  default     = []
  description = "Key patterns besides AWSLogs/ACCOUNT/, as ARNs of objects with $${aws:PrincipalAccount} where the account is."
}

variable "replication_role_path" {
  type        = string
  default     = "/weir/"
  description = "The path of the roles that S3 replicates with in the members."
}

variable "object_lock" {
  type        = bool
  default     = false
  description = "Sources with Object Lock can replicate only into a bucket with Object Lock. Cannot be switched off again."
}

variable "noncurrent_days" {
  type        = number
  default     = 30
  description = "Versions that were replaced or deleted go after this many days."
}

variable "infrequent_access_days" {
  type        = number
  default     = 0
  description = "Objects move to S3 Standard-IA after this many days, at least 30; 0 leaves them."
}

variable "archive_days" {
  type        = number
  default     = 0
  description = "Objects move to S3 Glacier Instant Retrieval after this many days; 0 leaves them."
}

variable "retention_days" {
  type        = number
  default     = 0
  description = "Objects are deleted after this many days; 0 keeps them for ever."
}

variable "visibility_timeout_seconds" {
  type        = number
  default     = 900
  description = "How long a host may work on an object before another host may take it up."
}

variable "max_receives" {
  type        = number
  default     = 5
  description = "A message that was received this often without success goes to the dead-letter queue."
}

variable "max_message_age_seconds" {
  type        = number
  default     = 900
  description = "An alarm tells when the oldest object has waited for longer."
}

variable "alarm_email" {
  type        = string
  default     = ""
  description = "Who is told by mail; empty for nobody."
}
