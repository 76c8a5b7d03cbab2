"""The REST face: every action with an HTTP shape, under ``/api/v1``."""
