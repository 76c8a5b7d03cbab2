"""Reading folders of Markdown, and making pages of them."""
