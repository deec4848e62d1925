output "endpoint" {
  description = "Where the hosts write."
  value       = "https://${aws_opensearch_domain.weir.endpoint}"
}

output "domain_arn" {
  description = "The domain."
  value       = aws_opensearch_domain.weir.arn
}
