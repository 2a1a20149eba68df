variable "name" {
  description = "Prefix of all names."
  type        = string
}

variable "vpc_id" {
  description = "VPC of the groups."
  type        = string
}

variable "allowed_cidrs" {
  description = "Addresses of clients, blocks of IPv4, which may call the load balancer. There is no default."
  type        = list(string)

  validation {
    condition     = length(var.allowed_cidrs) > 0 && alltrue([for cidr in var.allowed_cidrs : can(cidrnetmask(cidr))])
    error_message = "allowed_cidrs must name at least one block of IPv4, such as 10.0.0.0/8."
  }

  validation {
    condition     = alltrue([for cidr in var.allowed_cidrs : try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "allowed_cidrs must not be wider than /8: 0.0.0.0/0 would let everybody try tokens."
  }
}

variable "internet" {
  description = "Whether private subnets have a way out through NAT."
  type        = bool
}

variable "s3_prefix_list_id" {
  description = "Prefix list of S3 behind its gateway endpoint."
  type        = string
}

variable "container_mds" {
  description = "Whether the metadata store runs in a container with its file on EFS."
  type        = bool
}
