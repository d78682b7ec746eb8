"use strict";
// Sorts, filters and opens the rows of the discrepancies. Without this script the page shows the
// hundred largest. All texts and rows are in the element #data; nothing is loaded or kept.
(() => {
  const PAGE = 100;
  const source = document.getElementById("data");

  // A closed part is printed too.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((part) => { part.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((part) => { part.open = false; }));
  if (!source) return;

  const { texts, labels, rows } = JSON.parse(source.textContent);
  const table = document.getElementById("rows");
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  const named = (group, code) => (Object.hasOwn(labels[group] ?? {}, code) ? labels[group][code] : code);
  // The columns, in order: what a row is sorted by.
  const keys = [
    (row) => row.line ?? Infinity,
    (row) => row.call,
    (row) => `${named("kind", row.kind)} ${row.field && named("field", row.field)}`,
    (row) => row.ledger,
    (row) => row.provider,
    (row) => row.message,
    (row) => row.seconds,
  ];
  const state = { column: 6, descending: true, limit: PAGE, open: new Set() };
  rows.forEach((row, index) => { row.index = index; });

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  // A word with its code small beside it.
  function withCode(group, code) {
    const label = named(group, code);
    return label === code ? [code] : [`${label} `, element("code", { class: "code" }, code)];
  }

  // Since when a row is open.
  const dated = (row) => (row.new ? texts.since_new : `${texts.open_since} ${row.since}`);

  // The text in which a row is searched.
  function searched(row) {
    if (!row.searched) {
      const words = [row.line, row.file, row.call, keys[2](row), row.kind, row.ledger, row.provider, row.other, row.message,
        row.reason, row.resolution && named("resolution", row.resolution), row.since && dated(row), row.product, named("product", row.product), row.day, ...Object.values(row.more).flat(2)];
      row.searched = words.join("\n").toLowerCase();
    }
    return row.searched;
  }

  // The filters. An empty choice lets every row pass.
  const choices = ["kind", "field", "product", "day"].map((name) => {
    const counts = new Map();
    rows.forEach((row) => { if (row[name]) counts.set(row[name], (counts.get(row[name]) || 0) + 1); });
    const options = [...counts].sort().map(([code, count]) => {
      const label = labels[name] ? named(name, code) : code;
      return element("option", { value: code }, `${label} (${count})`);
    });
    const select = element("select", { onchange: changed }, element("option", { value: "" }, texts.all), ...options);
    return { name, select };
  });
  const search = element("input", { type: "search", autocomplete: "off", oninput: changed });
  const count = element("p", { class: "count", role: "status", tabindex: "-1" });
  const form = element("form", { class: "filters", "aria-label": texts.filters, onsubmit: (e) => e.preventDefault() },
    ...choices.map(({ name, select }) => element("label", {}, texts[name], select)),
    element("label", {}, texts.search, search),
    element("button", { type: "button", onclick: () => { form.reset(); changed(); } }, texts.reset));
  document.getElementById("controls").append(form, count);

  const further = element("p", { class: "further" },
    element("button", { type: "button", onclick: () => showUpTo(state.limit + PAGE) }, texts.show_more),
    element("button", { type: "button", onclick: () => showUpTo(rows.length) }, texts.show_all));
  document.getElementById("further").append(further);

  function changed() {
    state.limit = PAGE;
    show();
  }

  function showUpTo(limit) {
    state.limit = limit;
    show();
    // The pressed button is gone; the keyboard goes on from the number of rows.
    if (further.hidden) count.focus();
  }

  function matching() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter((row) => choices.every(({ name, select }) => !select.value || row[name] === select.value)
      && words.every((word) => searched(row).includes(word)));
  }

  const collator = new Intl.Collator(document.documentElement.lang, { numeric: true });
  function sorted(list) {
    const key = keys[state.column];
    const order = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));
    const sign = state.descending ? -1 : 1;
    return list.sort((a, b) => sign * order(key(a), key(b)) || a.index - b.index);
  }

  function groups(row) {
    const parts = ["ledger", "record", "receipt", "lookup", "columns"].filter((name) => row.more[name]?.length);
    const place = [["product", row.product], ["call_date", row.day]].filter(([, value]) => value);
    const item = (name, value) => [
      element("dt", {}, ...withCode("field", name)),
      element("dd", {}, ...withCode(name, value)),
    ];
    const group = (title, items) => element("div", {}, element("h4", {}, title),
      element("dl", {}, ...items.flatMap(([name, value]) => item(name, value))));
    return element("div", { class: "groups" },
      ...(place.length ? [group(texts.the_call, place)] : []),
      ...parts.map((name) => group(texts[`more_${name}`], row.more[name])));
  }

  function toggle(row, button, line) {
    const opens = !state.open.delete(row.index);
    if (opens) {
      state.open.add(row.index);
      line.after(opened(row));
    } else {
      line.nextSibling.remove();
    }
    button.setAttribute("aria-expanded", opens);
  }

  function opened(row) {
    return element("tr", { class: "more", id: `more-${row.index}` }, element("td", { colspan: 7 }, groups(row)));
  }

  function line(row) {
    const isOpen = state.open.has(row.index);
    const button = element("button", {
      type: "button", "aria-expanded": isOpen, "aria-label": `${row.line ?? row.call} – ${texts.open_row}`,
      onclick: () => toggle(row, button, made),
    }, String(row.line ?? "–"));
    const other = row.other && element("span", { class: "soft" },
      ` ${texts[`other_${row.kind}`]}${texts.colon}${row.other}`);
    const decision = row.resolution ? [element("span", { class: "soft" },
      ` ${named("resolution", row.resolution)}${row.reason && texts.colon + row.reason}`)] : [];
    const since = row.since ? [element("span", { class: "soft" }, ` ${dated(row)}`)] : [];
    const cell = (name, label, ...children) =>
      element("td", label ? { class: name, "data-label": label } : { class: name }, ...children);
    const what = withCode("kind", row.kind);
    if (row.field) what.push(element("br", {}), ...withCode("field", row.field));
    const value = (code) => named(row.field, code);
    const isDuplicate = row.kind === "duplicate";
    const made = element("tr", {},
      cell("n line", texts.line, button),
      cell("call id", "", row.call, ...(row.file ? [element("span", { class: "soft" }, ` ${row.file}`)] : [])),
      cell("what", "", ...what),
      cell("ledger", texts.expected, value(row.ledger), ...(other && isDuplicate ? [other] : [])),
      cell("provider", texts.actual, value(row.provider), ...(other && !isDuplicate ? [other] : [])),
      cell("message", "", row.message, ...since, ...decision),
      cell("n seconds", texts.at_stake, row.seconds.toLocaleString("en")));
    return isOpen ? [made, opened(row)] : [made];
  }

  function show() {
    const list = sorted(matching());
    const shown = list.slice(0, state.limit);
    body.replaceChildren(...shown.flatMap(line));
    count.textContent = texts.count.replace("{shown}", shown.length.toLocaleString("en"))
      .replace("{all}", list.length.toLocaleString("en"));
    further.hidden = shown.length === list.length;
    headers.forEach((header, column) => {
      const direction = state.descending ? "descending" : "ascending";
      if (column === state.column) header.setAttribute("aria-sort", direction);
      else header.removeAttribute("aria-sort");
      header.querySelector("span").textContent = column !== state.column ? "" : state.descending ? " ▼" : " ▲";
    });
  }

  headers.forEach((header, column) => {
    const button = element("button", {
      type: "button",
      onclick: () => {
        // Numbers begin with the largest, texts with the first.
        state.descending = state.column === column ? !state.descending : column === 6;
        state.column = column;
        show();
      },
    }, ...header.childNodes, element("span", { "aria-hidden": "true" }));
    header.append(button);
  });
  show();
})();
