variable "domain_name" {
  type        = string
  default     = "weir"
  description = "The name of the domain."
}

variable "engine_version" {
  type        = string
  default     = "OpenSearch_2.19"
  description = "The version of OpenSearch."
}

variable "instance_type" {
  type        = string
  default     = "r6g.large.search"
  description = "Of the data nodes."
}

variable "data_nodes" {
  type        = number
  default     = 3
  description = "Data nodes; a multiple of three spreads them evenly over three zones."
}

variable "volume_gib" {
  type        = number
  default     = 200
  description = "Storage of each data node, in GiB."
}

variable "dedicated_masters" {
  type        = bool
  default     = true
  description = "Three nodes that only manage the cluster; advised for production."
}

variable "master_instance_type" {
  type        = string
  default     = "m6g.large.search"
  description = "Of the dedicated masters."
}

variable "vpc_id" {
  type        = string
  description = "Where the domain's addresses are."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Three private subnets in three zones."
}

variable "host_role_arn" {
  type        = string
  description = "The output host_role_arn of the module hosts."
}

variable "host_security_group_id" {
  type        = string
  description = "The output security_group_id of the module hosts."
}

variable "administrator_role_arn" {
  type        = string
  description = "The role that administers the domain's own security (users, roles, tenants)."
}

variable "key_arn" {
  type        = string
  description = "The key that the domain is encrypted with; the output KeyArn of log-account.yaml serves."
}

variable "alarms_arn" {
  type        = string
  description = "The output alarms_arn of the module log-account."
}
