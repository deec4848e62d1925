output "host_role_arn" {
  description = "The role of the hosts; the module opensearch takes it."
  value       = aws_iam_role.host.arn
}

output "instance_profile_arn" {
  description = "For hosts on EC2."
  value       = aws_iam_instance_profile.host.arn
}

output "security_group_id" {
  description = "The hosts' security group; the module opensearch takes it."
  value       = aws_security_group.hosts.id
}
