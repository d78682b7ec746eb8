// Opens pages in Chromium and checks them. Arguments: the browser, then the JSON of the tasks.
//
// A task is {file, width, dark, script, steps, print, shot, whole}. Its result has the findings of
// axe-core, the console, the requests, whether the body overflows, and what each step returned. A
// step is JavaScript that runs in the page. Results are printed as a JSON list.
"use strict";
const fs = require("fs");
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const { FileSystemConfigLoader, HtmlValidate } = require("html-validate");

const [browserPath, tasks] = [process.argv[2], JSON.parse(process.argv[3])];
const validator = new HtmlValidate(new FileSystemConfigLoader({
  extends: ["html-validate:recommended", "html-validate:a11y"],
  rules: {
    // The provider's ids look like phone numbers.
    "tel-non-breaking": "off",
  },
}));

// The rules that a page breaks. axe-core runs in an isolated world, which the page's policy does not
// concern.
async function findings(session) {
  const { frameTree } = await session.send("Page.getFrameTree");
  const world = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
  const evaluate = async (expression) => {
    const { result, exceptionDetails } = await session.send("Runtime.evaluate", {
      expression, contextId: world.executionContextId, awaitPromise: true, returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception.description);
    return result.value;
  };
  await evaluate(`${axe}; true`);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  return evaluate(`axe.run(document, ${JSON.stringify({ runOnly: tags })}).then(
    (all) => all.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target.join(" ")).join(", ")))`);
}

async function run(browser, task) {
  const { file, width = 1280, dark = false, script = true, steps = [], print, shot, whole } = task;
  const context = await browser.newContext({
    viewport: { width, height: width < 600 ? 844 : 800 },
    colorScheme: dark ? "dark" : "light",
  });
  const page = await context.newPage();
  const [console, requests] = [[], []];
  page.on("console", (message) => console.push(message.text()));
  page.on("pageerror", (error) => console.push(error.message));
  page.on("request", (request) => requests.push(request.url()));
  const session = await context.newCDPSession(page);
  const allowScripts = (value) => session.send("Emulation.setScriptExecutionDisabled", { value: !value });
  await allowScripts(script);
  await page.goto(`file://${file}`);
  await allowScripts(true);
  const result = { console, requests: requests.filter((url) => url !== `file://${file}`), steps: [] };
  for (const step of steps) {
    result.steps.push(await page.evaluate(`(() => { ${step} })()`));
  }
  result.overflows = await page.evaluate("document.documentElement.scrollWidth > innerWidth");
  if (task.axe) result.axe = await findings(session);
  if (task.validate) {
    const report = await validator.validateString(fs.readFileSync(file, "utf8"), file);
    result.validate = report.results.flatMap((r) =>
      r.messages.map((m) => `${m.ruleId}: ${m.message} (line ${m.line}, column ${m.column})`));
  }
  if (shot) await page.screenshot({ path: shot, fullPage: Boolean(whole) });
  if (print) await page.pdf({ path: print, preferCSSPageSize: true });
  await context.close();
  return result;
}

(async () => {
  const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  const browser = await chromium.launch({ executablePath: browserPath, args });
  const results = [];
  for (const task of tasks) results.push(await run(browser, task));
  await browser.close();
  process.stdout.write(JSON.stringify(results));
})().catch((error) => { console.error(error); process.exit(1); });
