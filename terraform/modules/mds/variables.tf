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

variable "engine" {
  description = "container: Valkey in the proxy's task, its append-only file on EFS. elasticache: ElastiCache for Valkey."
  type        = string
  default     = "container"

  validation {
    condition     = contains(["container", "elasticache"], var.engine)
    error_message = "engine must be container or elasticache."
  }
}

variable "cluster_arn" {
  description = "ECS cluster of the task."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the task, or of ElastiCache."
  type        = string
}

variable "files_security_group_id" {
  description = "Security group of the file system; null with ElastiCache."
  type        = string
  default     = null
}

variable "cpu" {
  description = "Processor units of the task, for the metadata store and the proxy together."
  type        = number
}

variable "memory" {
  description = "Memory of the task in MiB."
  type        = number
}

variable "architecture" {
  description = "Processors: x86_64 or arm64."
  type        = string
}

variable "images" {
  description = "Images by name: wukong-kvs-node (which has the store's server) and wukong-kvs-proxy."
  type        = map(string)
}

variable "secret_arns" {
  description = "Secrets of mds and proxy."
  type        = map(string)
}

variable "secret_variables" {
  description = "Environment variables that they hold."
  type        = map(list(string))
}

variable "key_arn" {
  description = "Key of secrets and files."
  type        = string
}

variable "log_groups" {
  description = "Log groups of mds and proxy."
  type        = map(string)
}

variable "target_group_arn" {
  description = "The load balancer's target group for the proxy."
  type        = string
}

variable "registry_arn" {
  description = "Cloud Map service of the task."
  type        = string
}

variable "executor_function" {
  description = "Name of the executor function, which the proxy invokes."
  type        = string
}

variable "invocation_rate" {
  description = "Executors a second that the proxy asks Lambda for on average."
  type        = number
}

variable "backup" {
  description = "Whether AWS Backup copies the file system every day."
  type        = bool
  default     = false
}

variable "elasticache" {
  description = "With the engine elasticache: type of its nodes, how many (the first is written to), and its users."
  type        = object({ node_type = string, nodes = number, user_group = string })
  default     = null

  validation {
    condition     = var.engine != "elasticache" || var.elasticache != null
    error_message = "The engine elasticache needs node_type, nodes and user_group."
  }

  validation {
    condition     = var.elasticache == null || try(var.elasticache.nodes >= 1 && var.elasticache.nodes <= 6, false)
    error_message = "elasticache.nodes must be from 1 to 6."
  }
}
