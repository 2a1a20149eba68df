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

variable "cluster_arn" {
  description = "ECS cluster of the nodes."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the nodes."
  type        = string
}

variable "nodes" {
  description = "Nodes that are started first. Later their number is the scheduler's, or that of `wukong cluster scale`."
  type        = number

  validation {
    condition     = var.nodes >= 0 && var.nodes <= 500 && floor(var.nodes) == var.nodes
    error_message = "nodes must be a whole number from 0 to 500."
  }
}

variable "cpu" {
  description = "Processor units of a node; 1024 are one vCPU."
  type        = number
}

variable "memory" {
  description = "Memory of a node in MiB."
  type        = number
}

variable "architecture" {
  description = "Processors: x86_64 or arm64."
  type        = string
}

variable "spot" {
  description = "Whether nodes run on spare capacity, which costs about a third and can be taken away at any time."
  type        = bool
  default     = false
}

variable "image" {
  description = "Image of a node, pinned by digest."
  type        = string
}

variable "secret_arn" {
  description = "Secret of the nodes."
  type        = string
}

variable "secret_variables" {
  description = "Environment variables that it holds."
  type        = list(string)
}

variable "key_arn" {
  description = "Key of the secret."
  type        = string
}

variable "log_group" {
  description = "Log group of the nodes."
  type        = string
}

variable "proxy_address" {
  description = "host:port of the proxy, with which nodes register."
  type        = string
}
