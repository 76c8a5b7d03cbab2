"""Homes on SQL Server and Azure SQL."""
