variable "name" {
  description = "Prefix of all names."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "account_id" {
  description = "Account."
  type        = string
}

variable "images" {
  description = "Images by name, pinned by digest: wukong-executor and wukong-invoker."
  type        = map(string)

  validation {
    condition = alltrue([for image in ["wukong-executor", "wukong-invoker"] : can(regex(
      "^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com/[a-z0-9/_.-]+@sha256:[0-9a-f]{64}$", var.images[image]
    ))])
    error_message = "images must hold wukong-executor and wukong-invoker, as ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME@sha256:DIGEST."
  }
}

variable "architecture" {
  description = "Processors: x86_64 or arm64, that of the images."
  type        = string

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "executor" {
  description = "Memory in MB, time limit in seconds, /tmp in MB, and reserved concurrency (null for none) of the executor."
  type = object({
    memory_mb            = number
    timeout              = number
    ephemeral_mb         = optional(number, 512)
    reserved_concurrency = optional(number)
  })

  validation {
    condition     = var.executor.memory_mb >= 512 && var.executor.memory_mb <= 10240
    error_message = "executor.memory_mb must be from 512 (what dask and numpy take) to 10240 (the most that Lambda has)."
  }

  validation {
    condition     = var.executor.timeout >= 60 && var.executor.timeout <= 900
    error_message = "executor.timeout must be from 60 to 900 seconds, the most that Lambda has."
  }

  validation {
    condition     = var.executor.ephemeral_mb >= 512 && var.executor.ephemeral_mb <= 10240
    error_message = "executor.ephemeral_mb must be from 512 to 10240."
  }

  validation {
    condition     = var.executor.reserved_concurrency == null || try(var.executor.reserved_concurrency >= 1, false)
    error_message = "executor.reserved_concurrency must be null for none, or at least 1: with 0 no executor would ever start."
  }
}

variable "invoker" {
  description = "Memory in MB and time limit in seconds of the invoker."
  type        = object({ memory_mb = number, timeout = number })
  default     = { memory_mb = 1769, timeout = 60 }

  validation {
    condition     = var.invoker.memory_mb >= 128 && var.invoker.memory_mb <= 10240
    error_message = "invoker.memory_mb must be from 128 to 10240."
  }

  validation {
    condition     = var.invoker.timeout >= 10 && var.invoker.timeout <= 900
    error_message = "invoker.timeout must be from 10 to 900 seconds."
  }
}

variable "subnets" {
  description = "Private subnets: ids, and their addresses by zone."
  type        = object({ ids = list(string), cidrs = map(string) })

  validation {
    condition     = alltrue([for cidr in values(var.subnets.cidrs) : tonumber(split("/", cidr)[1]) <= 20])
    error_message = "subnets of functions must be /20 or larger: a thousand environments start within seconds, and tasks share the addresses."
  }
}

variable "security_group_ids" {
  description = "Security groups by part: executor and invoker."
  type        = map(string)
}

variable "log_groups" {
  description = "Log groups by part: executor and invoker."
  type        = map(string)
}

variable "secret_arn" {
  description = "Secret of the executor."
  type        = string
}

variable "key_arn" {
  description = "Key of the secret and of the failure queue."
  type        = string
}

variable "mds_address" {
  description = "host:port of the metadata store."
  type        = string
}

variable "proxy_address" {
  description = "host:port of the proxy inside the VPC."
  type        = string
}

variable "parallelism" {
  description = "Executors of one job that may run at once."
  type        = number
}

variable "invocation_rate" {
  description = "Executors a second that the invoker asks Lambda for on average."
  type        = number
}
