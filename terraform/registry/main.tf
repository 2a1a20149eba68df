provider "aws" {
  region = var.region

  default_tags {
    tags = { Deployment = "wukong-registry" }
  }
}

data "aws_caller_identity" "this" {}

module "registry" {
  source = "../modules/registry"

  region     = var.region
  account_id = data.aws_caller_identity.this.account_id
}
