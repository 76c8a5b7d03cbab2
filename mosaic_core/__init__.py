"""The kernel: contracts, plugins, tenants, the head. It knows no web framework and no SDK."""
