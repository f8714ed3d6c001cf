"""The starter's OpenAPI 3.1 description, made from the code and a configuration."""
