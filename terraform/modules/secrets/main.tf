locals {
  callers = ["WUKONG_SIGNING_KEY", "WUKONG_STORE_CA", "WUKONG_STORE_PASSWORD", "WUKONG_TOKEN"]
  stores = [
    "WUKONG_STORE_CA", "WUKONG_STORE_CERTIFICATE", "WUKONG_STORE_KEY", "WUKONG_STORE_PASSWORD", "WUKONG_STORE_USERS",
  ]
  # Part -> the environment variables that its secret holds. `make deploy` makes the values: docs/decisions/0010.
  variables = {
    executor  = local.callers
    scheduler = local.callers
    proxy     = local.callers
    kvs-node  = concat(local.stores, ["WUKONG_TOKEN"])
    mds       = local.stores
  }
  names = merge({ for part in keys(local.variables) : part => "${var.name}/${part}" }, { token = "${var.name}/token" })
}

# Only the secrets, without a value: what Terraform knows of a value stands in its state, in clear.
resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:They are rotated by replacement, all at once, since parts share them; a rotation by AWS would change one alone.
  for_each = local.names

  name                    = each.value
  description             = each.key == "token" ? "Token of clients of ${var.name}" : "Secrets of the part ${each.key} of ${var.name}"
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.recovery_days
}
