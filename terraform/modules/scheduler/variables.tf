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

variable "cluster_name" {
  description = "ECS cluster of the task and of the KVS nodes."
  type        = string
}

variable "cluster_arn" {
  description = "The same cluster's ARN."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the task."
  type        = string
}

variable "cpu" {
  description = "Processor units; 1024 are one vCPU."
  type        = number
}

variable "memory" {
  description = "Memory in MiB."
  type        = number
}

variable "architecture" {
  description = "Processors: x86_64 or arm64."
  type        = string
}

variable "image" {
  description = "Image of the scheduler, pinned by digest."
  type        = string
}

variable "executor_runtime" {
  description = "The executor image's manifest, one JSON object, as `python -m wukong_executor.manifest` prints it."
  type        = string

  validation {
    condition     = can(jsondecode(var.executor_runtime).python) && length(var.executor_runtime) <= 32768
    error_message = "executor_runtime must be the manifest of the executors' image, a JSON object of at most 32 KiB; `make push` writes it."
  }
}

variable "secret_arn" {
  description = "Secret of the scheduler."
  type        = string
}

variable "secret_variables" {
  description = "Environment variables that it holds."
  type        = list(string)
}

variable "key_arn" {
  description = "Key of the secret and of the failure queue."
  type        = string
}

variable "log_group" {
  description = "Log group of the scheduler."
  type        = string
}

variable "target_group_arn" {
  description = "The load balancer's target group for the scheduler."
  type        = string
}

variable "registry_arn" {
  description = "Cloud Map service of the scheduler."
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

variable "public_proxy_address" {
  description = "host:port of the proxy for clients, at the load balancer."
  type        = string
}

variable "executor_function" {
  description = "Name of the executor function."
  type        = string
}

variable "invoker_function" {
  description = "Name of the invoker function."
  type        = string
}

variable "failure_queue" {
  description = "The executor function's destination on failure."
  type        = object({ url = string, name = string })
}

variable "parallelism" {
  description = "Executors of one job that may run at once."
  type        = number

  validation {
    condition     = var.parallelism >= 1 && floor(var.parallelism) == var.parallelism
    error_message = "parallelism must be a whole number from 1 on."
  }
}

variable "invocation_rate" {
  description = "Executors a second that are asked for on average."
  type        = number

  validation {
    condition     = var.invocation_rate > 0 && var.invocation_rate <= 1000
    error_message = "invocation_rate must be above 0, and at most 1000."
  }
}

variable "kvs" {
  description = "The KVS nodes' service; nodes for a job that asks for none, and the most of all; seconds until idle ones are stopped, 0 for never."
  type        = object({ service = string, nodes = number, max_nodes = number, idle_seconds = number })

  validation {
    condition     = var.kvs.max_nodes >= var.kvs.nodes && var.kvs.nodes >= 1
    error_message = "kvs.nodes must be at least 1, and kvs.max_nodes not less."
  }

  validation {
    condition     = var.kvs.idle_seconds >= 0
    error_message = "kvs.idle_seconds must not be negative."
  }
}
