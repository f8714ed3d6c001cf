"""What data files cannot say in the same words for every version of Odoo."""


def finish_install(env):
    """Run once after the installation."""
    _assign_groups(env)
    _keep_crons_running(env)


def forget_settings(env):
    """Run once before the addon goes: secrets must not stay behind."""
    env["ir.config_parameter"].search([("key", "=like", "ai_image_bridge.%")]).unlink()


def _assign_groups(env):
    """Give the bot its one group, and the administrator the manager's.

    The field that lists the users of a group is `users` up to 18 and `user_ids` from 19 on.
    """
    bot_group = env.ref("ai_image_bridge.group_bot")
    manager_group = env.ref("ai_image_bridge.group_manager")
    bot = env.ref("ai_image_bridge.user_bot")
    user_groups = "group_ids" if "group_ids" in bot._fields else "groups_id"
    bot.write({user_groups: [(6, 0, bot_group.ids)]})
    for administrator in (env.ref("base.user_root"), env.ref("base.user_admin")):
        administrator.write({user_groups: [(4, manager_group.id)]})


def _keep_crons_running(env):
    """Up to 17 a cron runs once unless it says otherwise, in a field that is gone from 18 on."""
    if "numbercall" in env["ir.cron"]._fields:
        for name in ("cron_send", "cron_fetch", "cron_reconcile"):
            env.ref(f"ai_image_bridge.{name}").write({"numbercall": -1})
