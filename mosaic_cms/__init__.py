"""The product: content, actions and their faces, composed on the kernel."""
