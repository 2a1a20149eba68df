variable "name" {
  description = "Prefix of all names."
  type        = string
}

variable "region" {
  description = "Region of the key."
  type        = string
}

variable "account_id" {
  description = "Account of the key."
  type        = string
}
