output "bucket_name" {
  description = "accounts.toml, [[destination]]: bucket"
  value       = aws_s3_bucket.logs.id
}

output "key_arn" {
  description = "accounts.toml, [[destination]]: kms-key"
  value       = aws_kms_key.logs.arn
}

output "queue_arn" {
  description = "accounts.toml, [[destination]]: queue"
  value       = aws_sqs_queue.queue.arn
}

output "alarms_arn" {
  description = "The topic of all alarms; the modules members and hosts take it."
  value       = aws_sns_topic.alarms.arn
}

output "accounts_toml" {
  description = "The section of accounts.toml for this Region."
  value       = <<-EOT
    [[destination]]
    region = "${local.region}"
    bucket = "${aws_s3_bucket.logs.id}"
    kms-key = "${aws_kms_key.logs.arn}"
    queue = "${aws_sqs_queue.queue.arn}"
  EOT
}
