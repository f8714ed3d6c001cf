/** @odoo-module **/
// Views of requests that show what happens to them: at once where the bus is connected, within seconds where it is not.

import { onMounted, onWillUnmount } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { debounce } from "@web/core/utils/timing";
import { formView } from "@web/views/form/form_view";
import { kanbanView } from "@web/views/kanban/kanban_view";
import { listView } from "@web/views/list/list_view";

const CHANGED = "ai_image_bridge.request_changed";
const OPEN_STATES = ["queued", "sent", "processing"];
const POLL_MS = 5000;
const SETTLE_MS = 200;

function shownRecords(root) {
    return root.records || [root];
}

// Nothing that somebody types or has selected may be lost by a reload.
async function isLeftAlone(root) {
    if (root.isNew || root.editedRecord || (root.selection && root.selection.length)) {
        return false;
    }
    return !root.isDirty || !(await root.isDirty());
}

function useLiveUpdate(controller) {
    const bus = useService("bus_service");
    const reload = async () => {
        if (!document.hidden && (await isLeftAlone(controller.model.root))) {
            await controller.model.load();
        }
    };
    const reloadSoon = debounce(reload, SETTLE_MS);
    const onChanged = ({ id }) => {
        const root = controller.model.root;
        if (root.records || root.resId === id) {
            reloadSoon();
        }
    };
    const poll = () => {
        if (shownRecords(controller.model.root).some((record) => OPEN_STATES.includes(record.data.state))) {
            reloadSoon();
        }
    };
    let timer;
    onMounted(() => {
        bus.subscribe(CHANGED, onChanged);
        bus.start();
        timer = setInterval(poll, POLL_MS);
    });
    onWillUnmount(() => {
        bus.unsubscribe(CHANGED, onChanged);
        clearInterval(timer);
        reloadSoon.cancel();
    });
}

function live(view) {
    return {
        ...view,
        Controller: class extends view.Controller {
            setup() {
                super.setup();
                useLiveUpdate(this);
            }
        },
    };
}

const views = registry.category("views");
views.add("ai_image_form", live(formView));
views.add("ai_image_kanban", live(kanbanView));
views.add("ai_image_list", live(listView));
