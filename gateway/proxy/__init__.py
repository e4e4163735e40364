"""The proxied leg: from a granted request to the service behind and back."""
