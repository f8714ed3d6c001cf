-- A copy of the database for tests must neither send requests nor take the outcomes of the real one.
DELETE FROM ir_config_parameter
 WHERE key IN ('ai_image_bridge.orchestrator_url', 'ai_image_bridge.webhook_secret', 'ai_image_bridge.callback_secret',
               'ai_image_bridge.callback_secret_old', 'ai_image_bridge.api_token', 'ai_image_bridge.security_token');
