output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Private subnets, one for each zone, in the order of zones."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "public_subnet_ids" {
  description = "Public subnets, one for each zone, in the order of zones."
  value       = [for zone in var.zones : aws_subnet.public[zone].id]
}

output "private_cidrs" {
  description = "Zone -> addresses of its private subnet."
  value       = local.private_cidrs
}

output "s3_prefix_list_id" {
  description = "Prefix list of S3 behind its gateway endpoint, for security groups."
  value       = aws_vpc_endpoint.s3.prefix_list_id
}

output "endpoints" {
  description = "Services that are reached inside the VPC."
  value       = sort(concat(["s3"], tolist(var.interface_endpoints)))
}

output "nat_zones" {
  description = "Zones with a NAT gateway."
  value       = local.nat_zones
}
