{
    "name": "AI Image Bridge",
    "summary": "Request AI images from any record; an orchestrator makes them and brings them back",
    "version": "1.0.0",
    "category": "Productivity",
    "license": "LGPL-3",
    "author": "AI Image Bridge contributors",
    "depends": ["base", "web", "mail", "bus"],
    "data": [
        "security/groups.xml",
        "security/ir.model.access.csv",
        "security/rules.xml",
        "data/bot.xml",
        "data/crons.xml",
        # Screens: menus come last, because they name the rest.
        "views/bulk_retry.xml",
        "views/request_forms.xml",
        "views/request_lists.xml",
        "views/images.xml",
        "views/generate.xml",
        "views/settings.xml",
        "views/menus.xml",
    ],
    "assets": {
        "web.assets_backend": [
            "ai_image_bridge/static/src/live_views.js",
            "ai_image_bridge/static/src/gallery.scss",
        ],
    },
    "post_init_hook": "finish_install",
    "uninstall_hook": "forget_settings",
    "application": True,
    "installable": True,
}
