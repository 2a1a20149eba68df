variable "name" {
  description = "Name of the task's family, and prefix of its roles."
  type        = string
}

variable "region" {
  description = "Region of the logs."
  type        = string
}

variable "account_id" {
  description = "Account of the task."
  type        = string
}

variable "cpu" {
  description = "Processor units; 1024 are one vCPU."
  type        = number

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "cpu must be one of Fargate's sizes: 256, 512, 1024, 2048, 4096, 8192 or 16384."
  }
}

variable "memory" {
  description = "Memory in MiB."
  type        = number

  validation {
    condition     = contains(lookup(local.legal_memory, tostring(var.cpu), []), var.memory)
    error_message = "memory is not one of those that Fargate has for ${var.cpu} processor units: ${join(", ", lookup(local.legal_memory, tostring(var.cpu), []))} MiB."
  }
}

variable "architecture" {
  description = "Processors: x86_64 or arm64."
  type        = string

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "containers" {
  description = "Containers of the task, each with what sets it apart; what all have in common is added here."
  type = list(object({
    name         = string
    image        = string
    entrypoint   = optional(list(string))
    command      = optional(list(string))
    port         = optional(number)
    environment  = map(string)
    secret_arn   = string
    secrets      = list(string)
    health       = list(string)
    start_period = optional(number, 60)
    stop_timeout = optional(number, 30)
    after        = optional(list(string), [])
    mounts       = optional(map(string), {})
    log_group    = string
  }))

  validation {
    condition = alltrue([for container in var.containers : can(regex(
      "^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com/[a-z0-9/_.-]+@sha256:[0-9a-f]{64}$", container.image
    ))])
    error_message = "image must be pinned by its digest, as ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME@sha256:DIGEST."
  }
}

variable "files" {
  description = "Volume -> file system and access point on EFS."
  type        = map(object({ file_system_id = string, access_point_id = string }))
  default     = {}
}

variable "key_arn" {
  description = "Key that the secrets are encrypted with."
  type        = string
}

variable "statements" {
  description = "What the containers may do in AWS: statements of the task role's policy, as JSON."
  type        = list(string)
  default     = []
}
