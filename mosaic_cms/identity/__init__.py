"""Who somebody is: accounts and how they prove it, and what they belong to."""
