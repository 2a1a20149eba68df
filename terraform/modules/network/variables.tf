variable "name" {
  description = "Prefix of all names."
  type        = string
}

variable "region" {
  description = "Region, for the names of endpoints."
  type        = string
}

variable "cidr" {
  description = "Addresses of the VPC, a /16: it holds a private subnet of /20 for each zone, and a public one of /24."
  type        = string
  default     = "10.42.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.cidr)) && endswith(var.cidr, "/16")
    error_message = "cidr must be a block of IPv4 of size /16, such as 10.42.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones, two or more, such as [\"eu-central-1a\", \"eu-central-1b\"]."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 6 && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones must be two to six different availability zones."
  }
}

variable "nat" {
  description = "NAT gateways: none, single (in the first zone), or one in each zone (per_zone)."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "single", "per_zone"], var.nat)
    error_message = "nat must be none, single or per_zone."
  }
}

variable "interface_endpoints" {
  description = "Services of AWS that private subnets reach inside the VPC, by the last part of their endpoint's name."
  type        = set(string)
  default     = ["ecr.api", "ecr.dkr", "ecs", "lambda", "logs", "secretsmanager", "sqs"]

  validation {
    condition = var.nat != "none" || length(setsubtract(
      ["ecr.api", "ecr.dkr", "ecs", "lambda", "logs", "secretsmanager", "sqs"], var.interface_endpoints
    )) == 0
    error_message = "Without NAT, private subnets need every one of ecr.api, ecr.dkr, ecs, lambda, logs, secretsmanager and sqs in interface_endpoints."
  }
}

variable "endpoint_security_group_id" {
  description = "Security group of the interface endpoints."
  type        = string
}
