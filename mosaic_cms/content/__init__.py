"""Sites and pages: writing, arranging, publishing."""
