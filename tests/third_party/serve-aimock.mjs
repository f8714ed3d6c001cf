// node serve-aimock.mjs PACKAGES PORT API_KEY FIXTURES: aimock on 127.0.0.1. Its command line cannot stage fal's polls.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [packages, port, key, fixtures] = process.argv.slice(2);
const module = join(packages, "node_modules", "@copilotkit", "aimock", "dist", "index.js");
const { LLMock } = await import(pathToFileURL(module).href);
const aimock = new LLMock({
    host: "127.0.0.1",
    port: Number(port),
    auth: { apiKeys: [key] },
    falQueue: { pollsBeforeInProgress: 1, pollsBeforeCompleted: 3 },
    logLevel: "warn",
    strict: true,
});
aimock.loadFixtureFile(fixtures);
await aimock.start();
