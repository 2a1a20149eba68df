variable "name" {
  description = "Prefix of all names; 25 letters at most, since those of load balancers have 32."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 25 lower case letters, digits and dashes, and begin with a letter."
  }
}

variable "vpc_id" {
  description = "VPC of the targets."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets in which it listens: private ones, or public ones where it is not internal."
  type        = list(string)
}

variable "security_group_id" {
  description = "Its security group."
  type        = string
}

variable "internal" {
  description = "Whether it is reached from the VPC, and what is connected to that, only."
  type        = bool
  default     = true
}

variable "certificate_arn" {
  description = "Certificate of both listeners, in ACM."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-zA-Z-]+$", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of a certificate in ACM."
  }
}

variable "deletion_protection" {
  description = "Whether it must be unlocked before it can be removed."
  type        = bool
  default     = false
}
