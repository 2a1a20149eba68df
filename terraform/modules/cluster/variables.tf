variable "name" {
  description = "Prefix of all names, such as wukong-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 25 lower case letters, digits and dashes, and begin with a letter."
  }
}

variable "region" {
  description = "Region of everything."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of a region of AWS, such as eu-central-1."
  }
}

variable "zones" {
  description = "Availability zones, two or more."
  type        = list(string)

  validation {
    condition     = alltrue([for zone in var.zones : startswith(zone, var.region)])
    error_message = "zones must be of the region."
  }
}

variable "cidr" {
  description = "Addresses of the VPC, a /16."
  type        = string
  default     = "10.42.0.0/16"
}

variable "nat" {
  description = "NAT gateways: none, single or per_zone."
  type        = string
}

variable "interface_endpoints" {
  description = "Services of AWS that private subnets reach inside the VPC."
  type        = set(string)
  default     = ["ecr.api", "ecr.dkr", "ecs", "lambda", "logs", "secretsmanager", "sqs"]
}

variable "allowed_cidrs" {
  description = "Addresses of clients, blocks of IPv4. There is no default."
  type        = list(string)
}

variable "internal" {
  description = "Whether the load balancer is reached from the VPC, and what is connected to that, only."
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

  validation {
    condition     = var.certificate_authority == "" || startswith(var.certificate_authority, "-----BEGIN CERTIFICATE-----")
    error_message = "certificate_authority must be a certificate in the form PEM, or empty."
  }
}

variable "host" {
  description = "Name for which the certificate is, if it is not the load balancer's own: make it an alias of that one."
  type        = string
  default     = null

  validation {
    condition     = var.host == null || can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.host))
    error_message = "host must be a host name, such as wukong.example.com."
  }
}

variable "architecture" {
  description = "Processors of functions and tasks: x86_64 or arm64, that of the images."
  type        = string

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "images" {
  description = "Image -> its address with digest: wukong-executor, wukong-invoker, wukong-scheduler, wukong-kvs-proxy and wukong-kvs-node."
  type        = map(string)

  validation {
    condition = length(setsubtract(
      ["wukong-executor", "wukong-invoker", "wukong-scheduler", "wukong-kvs-proxy", "wukong-kvs-node"], keys(var.images)
    )) == 0
    error_message = "images must hold wukong-executor, wukong-invoker, wukong-scheduler, wukong-kvs-proxy and wukong-kvs-node; `make push` writes them."
  }

  validation {
    condition = alltrue([for image in values(var.images) : can(regex(
      "^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com/[a-z0-9/_.-]+@sha256:[0-9a-f]{64}$", image
    ))])
    error_message = "Each image must be pinned by its digest, as ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME@sha256:DIGEST."
  }
}

variable "executor_runtime" {
  description = "The executor image's manifest, one JSON object; `make push` writes it."
  type        = string
}

variable "scheduler" {
  description = "Processor units and memory (MiB) of the scheduler, one of Fargate's pairs."
  type        = object({ cpu = number, memory = number })
}

variable "mds" {
  description = "Metadata store and proxy: engine (container or elasticache), processor units and memory of their task, and whether the file system is backed up."
  type = object({
    engine      = optional(string, "container")
    cpu         = number
    memory      = number
    backup      = optional(bool, false)
    elasticache = optional(object({ node_type = string, nodes = number, user_group = string }))
  })
}

variable "kvs" {
  description = "KVS nodes: how many first, for a job that asks for none, and at most; their size; seconds until idle ones are stopped (0: never); spare capacity or not."
  type = object({
    nodes        = number
    max_nodes    = number
    cpu          = number
    memory       = number
    idle_seconds = number
    spot         = optional(bool, false)
  })
}

variable "executor" {
  description = "Memory, time limit, /tmp and reserved concurrency (null for none) of the executor."
  type = object({
    memory_mb            = number
    timeout              = number
    ephemeral_mb         = optional(number, 512)
    reserved_concurrency = optional(number)
  })
}

variable "invoker" {
  description = "Memory and time limit of the invoker."
  type        = object({ memory_mb = number, timeout = number })
  default     = { memory_mb = 1769, timeout = 60 }
}

variable "parallelism" {
  description = "Executors of one job that may run at once; below the account's limit of concurrent executions."
  type        = number
}

variable "invocation_rate" {
  description = "Executors a second that each part asks Lambda for on average. Lambda starts 1,000 environments in 10 s."
  type        = number
  default     = 100
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
}

variable "secret_recovery_days" {
  description = "Days for which removed secrets can be brought back; 0 to remove them at once."
  type        = number
}

variable "alarm_emails" {
  description = "Addresses that are told of alarms."
  type        = list(string)
  default     = []
}

variable "budget" {
  description = "US dollars that the account may cost in a month, and who is told."
  type        = object({ limit_usd = number, emails = list(string) })
}

variable "container_insights" {
  description = "Whether ECS keeps metrics of every task, which cost."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether the load balancer must be unlocked before it can be removed."
  type        = bool
  default     = false
}
