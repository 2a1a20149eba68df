variable "name" {
  description = "Prefix of all names."
  type        = string
  default     = "wukong-dev"
}

variable "region" {
  description = "Region of everything; that of the registry."
  type        = string
  default     = "us-east-1"
}

variable "zones" {
  description = "Availability zones; the region's a and b if it is null."
  type        = list(string)
  default     = null
}

variable "allowed_cidrs" {
  description = "Addresses of clients, blocks of IPv4 such as those of your VPN. There is no default."
  type        = list(string)
}

variable "internal" {
  description = "Whether clients come from the VPC, or what is connected to it, only."
  type        = bool
  default     = true
}

variable "certificate_arn" {
  description = "Certificate of the load balancer's listeners, in ACM."
  type        = string
}

variable "certificate_authority" {
  description = "The authority that signed it, PEM; empty where it is publicly trusted."
  type        = string
  default     = ""
}

variable "host" {
  description = "Name for which the certificate is, if it is not the load balancer's own: make it an alias of that one."
  type        = string
  default     = null
}

variable "architecture" {
  description = "Processors of functions and tasks, that of the images: x86_64 or arm64. `make push` writes it."
  type        = string
  default     = "x86_64"
}

variable "images" {
  description = "Image -> its address with digest. `make push` writes it."
  type        = map(string)
}

variable "executor_runtime" {
  description = "The executor image's manifest, JSON. `make push` writes it."
  type        = string
}

variable "kvs_nodes" {
  description = "KVS nodes that are started first, and for a job that asks for none."
  type        = number
  default     = 1
}

variable "kvs_max_nodes" {
  description = "Most KVS nodes that jobs and users may ask for."
  type        = number
  default     = 4
}

variable "parallelism" {
  description = "Executors of one job at once; below the account's limit of concurrent executions."
  type        = number
  default     = 100

  validation {
    condition     = var.parallelism >= 1 && var.parallelism <= 10000
    error_message = "parallelism must be from 1 to 10,000."
  }
}

variable "budget_usd" {
  description = "US dollars that the account may cost in a month before somebody is told."
  type        = number
  default     = 100
}

variable "emails" {
  description = "Addresses that are told of the budget and of alarms."
  type        = list(string)
}
