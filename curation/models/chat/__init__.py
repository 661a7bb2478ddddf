"""Chat models: connections, requests, stored replies, and methods that ask."""
