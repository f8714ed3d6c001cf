"""The callback endpoints: one for each documented dialect, and ours."""

from odoo import http

from .handling import handle


def _endpoint(path):
    return http.route(path, type="http", auth="public", methods=["POST"], csrf=False, save_session=False)


class CallbackController(http.Controller):
    """Every endpoint does the same; only names of headers and fields differ."""

    @_endpoint("/ai_image_bridge/callback")
    def ours(self, **_query):
        """Body of the dialect event, signed."""
        return handle("ours", "event")

    @_endpoint("/api/ai/events")
    def event(self, **_query):
        """Dialect event."""
        return handle("event", "event")

    @_endpoint("/api/influencegen/image_result_callback")
    def correlation(self, **_query):
        """Dialect correlation."""
        return handle("correlation", "correlation")

    @_endpoint("/api/influencegen/ai_image_callback")
    def request(self, **_query):
        """Dialect request."""
        return handle("request", "request")

    @_endpoint("/influence_gen/n8n/ai_callback")
    def adapter(self, **_query):
        """Dialect adapter."""
        return handle("adapter", "adapter")

    @_endpoint("/influence_gen/ai/callback/image_result")
    def endpoint(self, **_query):
        """Dialect endpoint."""
        return handle("endpoint", "endpoint")
