"""An n8n export becomes our configuration: what could be taken over, what only nearly, and what could not."""
