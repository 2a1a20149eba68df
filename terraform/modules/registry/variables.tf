variable "images" {
  description = "Names of images, each of which gets a repository."
  type        = set(string)
  default     = ["wukong-executor", "wukong-invoker", "wukong-scheduler", "wukong-kvs-proxy", "wukong-kvs-node"]

  validation {
    condition     = alltrue([for image in var.images : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", image))])
    error_message = "images must be lower case letters and digits, with single dashes between."
  }
}

variable "functions" {
  description = "Which of them Lambda may pull."
  type        = set(string)
  default     = ["wukong-executor", "wukong-invoker"]

  validation {
    condition     = length(setsubtract(var.functions, var.images)) == 0
    error_message = "functions must be among images."
  }
}

variable "region" {
  description = "Region of the functions."
  type        = string
}

variable "account_id" {
  description = "Account of the functions."
  type        = string
}

variable "untagged_days" {
  description = "Days after which an image without a tag is removed: what a push left that did not end."
  type        = number
  default     = 14

  validation {
    condition     = var.untagged_days >= 1 && floor(var.untagged_days) == var.untagged_days
    error_message = "untagged_days must be a whole number from 1 on."
  }
}
