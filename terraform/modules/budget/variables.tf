variable "name" {
  description = "Name of the budget."
  type        = string
}

variable "limit_usd" {
  description = "What the account may cost in a month, in US dollars."
  type        = number

  validation {
    condition     = var.limit_usd > 0
    error_message = "limit_usd must be above 0."
  }
}

variable "emails" {
  description = "Addresses that are told; one at least."
  type        = list(string)

  validation {
    condition     = length(var.emails) >= 1 && length(var.emails) <= 10 && alltrue([for email in var.emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", email))])
    error_message = "emails must be one to ten addresses, such as ops@example.com: a budget that nobody hears of is of no use."
  }
}
