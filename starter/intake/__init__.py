"""From a webhook to a started workflow, and what is answered."""
