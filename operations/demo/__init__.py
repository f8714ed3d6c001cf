"""The demo: the whole product on one machine, with real webhooks in every dialect."""
