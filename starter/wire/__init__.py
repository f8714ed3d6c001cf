"""HTTP as n8n speaks it: connections, bodies, routes, exact answers."""
