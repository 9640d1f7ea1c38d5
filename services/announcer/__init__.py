"""Tells when subjects of policies expire or were removed, takes the answers, and removes what has expired."""
