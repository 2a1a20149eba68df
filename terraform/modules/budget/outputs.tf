output "limit" {
  description = "The limit for a month, with its unit."
  value       = "${aws_budgets_budget.this.limit_amount} ${aws_budgets_budget.this.limit_unit}"
}
