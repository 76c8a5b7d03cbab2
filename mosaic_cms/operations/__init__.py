"""The product's own actions: one module for each kind of thing."""
