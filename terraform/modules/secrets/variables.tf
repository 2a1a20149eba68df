variable "name" {
  description = "Prefix of all names."
  type        = string
}

variable "key_arn" {
  description = "Key that secrets are encrypted with."
  type        = string
}

variable "recovery_days" {
  description = "Days for which a removed secret can be brought back; 0 to remove it, and free its name, at once."
  type        = number

  validation {
    condition     = var.recovery_days == 0 || (var.recovery_days >= 7 && var.recovery_days <= 30)
    error_message = "recovery_days must be 0, or from 7 to 30."
  }
}
