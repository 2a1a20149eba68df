variable "name" {
  description = "Prefix of all names."
  type        = string
}

variable "region" {
  description = "Region, for the dashboard."
  type        = string
}

variable "account_id" {
  description = "Account, which alarms are told by."
  type        = string
}

variable "key_arn" {
  description = "Key that logs and alarms are encrypted with."
  type        = string
}

variable "retention_days" {
  description = "Days for which logs are kept."
  type        = number

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.retention_days)
    error_message = "retention_days must be one that CloudWatch has: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 or years."
  }
}

variable "emails" {
  description = "Addresses that are told of alarms; each has to confirm it."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for email in var.emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", email))])
    error_message = "emails must be addresses, such as ops@example.com."
  }
}

variable "balancer" {
  description = "The load balancer and its target groups in metrics."
  type        = object({ arn_suffix = string, target_group_suffixes = map(string) })
}

variable "concurrency_alarm" {
  description = "Executions of the account at once from which it is close to its limit."
  type        = number

  validation {
    condition     = var.concurrency_alarm >= 1
    error_message = "concurrency_alarm must be at least 1."
  }
}
