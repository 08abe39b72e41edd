/* The page's script. Without it, only sorting, filtering, finding, segments, comparing and the lightbox are missing. */
"use strict";
(function () {
  const $ = (selector, root) => (root || document).querySelector(selector);
  const $$ = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const here = document.body.dataset.here || ".";

  function make(tag, attributes, ...children) {
    const svg = ["svg", "path", "line", "circle", "text"].includes(tag);
    const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  /* data are scripts that assign one variable; they are loaded one after another */
  const loaded = {};
  let queue = Promise.resolve();
  function load(name) {
    if (!loaded[name]) {
      loaded[name] = queue = queue.then(() => new Promise((resolve, reject) => {
        const script = make("script", { src: `${here}/data/${name}.js` });
        script.onload = () => { const data = window.rebecaData; delete window.rebecaData; script.remove(); resolve(data); };
        script.onerror = () => { script.remove(); reject(new Error(`${name}: no such data`)); };
        document.head.append(script);
      }));
    }
    return loaded[name];
  }
  /* what is about many users is cut into parts */
  const parts = (name, first, last) => Promise.all(Array.from({ length: Math.max(0, last - first + 1) }, (_, k) => load(`${name}/${first + k}`)));
  const namesOfUsers = (count) => parts("users", 1, count).then((all) => all.flatMap(({ names }) => names));
  function withAllValues(id) {
    return load(`generator-${id}`).then((generator) => parts(`generator-${id}`, 2, generator.parts).then((more) => {
      const values = Object.entries(generator.values).map(([key, first]) => [key, first.concat(...more.map((part) => part.values[key]))]);
      return { ...generator, values: Object.fromEntries(values) };
    }));
  }

  /* numbers as on the server: benchmark/board/format_numbers.py has the rules */
  const MINUS = "\u2212", MISSING = "\u2013";
  function decimalsFor(low, high) {
    if (low === null || high === null || !(high > low)) return 3;
    return Math.max(1, Math.min(4, 1 - Math.floor(Math.log10((high - low) / 2))));
  }
  function number(value, decimals, sign) {
    if (value === null || value === undefined || !isFinite(value)) return MISSING;
    const text = Math.abs(value).toFixed(decimals);
    if (value < 0 && Number(text) !== 0) return MINUS + text;
    return sign && Number(text) !== 0 ? "+" + text : text;
  }
  function withInterval(estimate, low, high, sign) {
    const decimals = decimalsFor(low, high);
    const value = number(estimate, decimals, sign);
    return low === null || high === null ? value : `${value} (${number(low, decimals, sign)} to ${number(high, decimals, sign)})`;
  }
  const pValue = (p) => (p === null ? MISSING : p < 0.001 ? "< .001" : p >= 0.9995 ? "1" : p.toFixed(3).replace(/^0/, ""));

  /* state in the URL's query */
  const query = () => new URLSearchParams(location.search);
  function keep(values) {
    const params = query();
    for (const [name, value] of Object.entries(values)) value ? params.set(name, value) : params.delete(name);
    const text = params.toString();
    history.replaceState(null, "", location.pathname + (text ? "?" + text : "") + location.hash);
  }

  /* ---- sorting: WAI-ARIA sortable table --------------------------------------------------------------------- */
  function sortable(table, changed) {
    const heads = $$("thead th", table);
    heads.forEach((head, column) => {
      const button = make("button", { type: "button" });
      button.append(...Array.from(head.childNodes).filter((node) => node.nodeName !== "SMALL"));
      head.prepend(button);
      if (head.title) { tip(button, head.title); button.setAttribute("aria-description", head.title); head.removeAttribute("title"); }
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const numeric = $$("tbody tr", table).some((row) => row.cells[column] && row.cells[column].dataset.v);
        const first = numeric && head.dataset.key !== "rank" ? "descending" : "ascending";
        const next = !now ? first : now === "ascending" ? "descending" : "ascending";
        sort(table, column, next);
        changed && changed(head.dataset.key || String(column), next);
      });
    });
  }
  function sort(table, column, direction) {
    $$(".detail", table).forEach((row) => close(row));
    const body = table.tBodies[0], sign = direction === "ascending" ? 1 : -1;
    const all = Array.from(body.rows), numeric = all.some((row) => row.cells[column].dataset.v !== undefined);
    const keyed = all.map((row, at) => {
      const cell = row.cells[column], v = numeric ? cell.dataset.v : undefined;
      if (row.first === undefined) row.first = at;  // ties keep the page's own order, whatever was sorted before
      return { row, at: row.first, value: v === undefined ? null : Number(v), text: numeric ? "" : ($("a", cell) || cell).textContent.trim() };
    });
    keyed.sort((a, b) => {
      if (numeric) {
        if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.at - b.at;
        return sign * (a.value - b.value) || a.at - b.at;
      }
      return sign * (a.text < b.text ? -1 : a.text > b.text ? 1 : 0) || a.at - b.at;
    });
    $$("thead th", table).forEach((head, at) => (at === column ? head.setAttribute("aria-sort", direction) : head.removeAttribute("aria-sort")));
    const fragment = document.createDocumentFragment();
    keyed.forEach(({ row }, at) => { row.classList.toggle("later", at >= AT_ONCE); fragment.append(row); });
    body.append(fragment);
    reveal(body);
  }
  /* rows below the screen are laid out after those on it */
  const AT_ONCE = 24;
  function reveal(body) {
    const waiting = $$("tr.later", body).slice(0, AT_ONCE);
    if (waiting.length) requestAnimationFrame(() => { waiting.forEach((row) => row.classList.remove("later")); reveal(body); });
  }
  function close(detail) {
    const button = $(".more", detail.previousElementSibling);
    button && button.setAttribute("aria-expanded", "false");
    detail.remove();
  }

  /* ---- one sentence about whatever is pointed at or focused ---- */
  const bubble = make("div", { id: "tip", class: "tip", role: "tooltip", hidden: true });
  let pointed = null;
  function place() {
    if (!pointed) return;
    const at = pointed.getBoundingClientRect();
    bubble.style.left = `${Math.max(4, Math.min(at.left, document.documentElement.clientWidth - bubble.offsetWidth - 4))}px`;
    bubble.style.top = `${at.bottom + 6}px`;
  }
  function hideTip() { pointed = null; bubble.hidden = true; }
  function tip(target, text, mark) {
    const show = () => { pointed = mark || target; bubble.textContent = text; bubble.hidden = false; place(); };
    for (const name of ["mouseenter", "focus"]) target.addEventListener(name, show);
    for (const name of ["mouseleave", "blur"]) target.addEventListener(name, hideTip);
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
  addEventListener("scroll", place, { passive: true, capture: true });

  /* ---- leaderboard ------------------------------------------------------------------------------------------ */
  function leaderboard(table) {
    const controls = $("#controls"), message = $("#state"), heads = $$("thead th", table);
    const keys = heads.map((head) => head.dataset.key);
    const rows = $$("tbody tr", table).sort((a, b) => a.dataset.row - b.dataset.row);
    const names = Object.fromEntries(rows.map((row) => [row.id, $("th a", row).textContent]));
    const families = [...new Set(rows.map((row) => row.dataset.family))];
    const hiddenAtFirst = table.dataset.hide.split(" ").filter((key) => keys.includes(key));
    const state = {};

    sortable(table, (key, direction) => { state.sort = key; state.dir = direction; remember(); });
    const search = make("input", { type: "search", id: "q", size: 16, oninput: () => { state.q = search.value; filter(); remember(); } });
    const family = choice("family", [["", "all"], ...families.map((name) => [name, name])], () => { filter(); remember(); });
    const reference = choice("ref", rows.filter((row) => !row.classList.contains("unranked")).map((row) => [row.id, names[row.id]]), () => { verdicts(); remember(); });
    const segment = choice("segment", [["all", "all users"]], () => { segments(); remember(); });
    const boxes = make("fieldset", {}, make("legend", { class: "visually-hidden" }, "Columns"));
    keys.forEach((key, column) => {
      if (key === "title" || key === "rank") return;
      const box = make("input", { type: "checkbox", name: "column", value: key, onchange: () => { columns(); remember(); } });
      boxes.append(make("label", {}, box, " ", $("button", heads[column]).textContent));
    });
    const menu = make("details", { class: "columns" }, make("summary", {}, "Columns"), boxes);
    menu.addEventListener("keydown", (event) => { if (event.key === "Escape") { menu.open = false; $("summary", menu).focus(); } });
    document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
    controls.append(label("Search", search), label("Family", family), menu, label("Reference", reference), label("Users", segment),
      make("button", { type: "button", onclick: () => { restore(new URLSearchParams()); remember(); } }, "Reset"));
    controls.hidden = false;
    load("segments").then((data) => {
      data.segments.forEach(({ id, name, users }) => segment.append(make("option", { value: id }, `${name} (${users})`)));
      const wanted = query().get("segment");
      if (wanted && data.segments.some(({ id }) => id === wanted)) { segment.value = wanted; segments(); }
    });

    function choice(name, options, changed) {
      return make("select", { id: name, onchange: changed }, ...options.map(([value, text]) => make("option", { value }, text)));
    }
    function label(text, field) { return make("label", {}, text, field); }

    const hidden = () => $$("input", boxes).filter((box) => !box.checked).map((box) => box.value);
    function columns() {
      const gone = new Set(hidden());
      keys.forEach((key, column) => {
        const off = gone.has(key);
        heads[column].hidden = off;
        rows.forEach((row) => { row.cells[column].hidden = off; });
      });
    }
    function filter() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row) => {
        const text = `${row.id} ${row.textContent}`.toLowerCase();
        row.hidden = !(words.every((word) => text.includes(word)) && (!family.value || row.dataset.family === family.value));
        shown += !row.hidden;
        const next = row.nextElementSibling;
        if (row.hidden && next && next.className === "detail") close(next);
      });
      tell(shown);
    }
    function tell(shown) {
      const parts = [];
      if (shown !== undefined && shown < rows.length) parts.push(`${shown} of ${rows.length} generators`);
      if (segment.value !== "all") parts.push(`${segment.selectedOptions[0].textContent}: means and intervals of these users only; ranks and verdicts are of all users, and nothing is tested in segments`);
      message.textContent = parts.join(". ");
    }
    function verdicts() {
      const at = keys.indexOf("verdict"), base = reference.value;
      $("small", heads[at]).textContent = `vs ${names[base]}`;
      rows.forEach((row) => row.classList.toggle("reference", row.id === base));
      if (base === table.dataset.reference && !verdicts.touched) return;
      verdicts.touched = true;
      load("pairs").then((data) => {
        const place = Object.fromEntries(data.ids.map((id, k) => [id, k]));
        const verdictsOf = rows.map(() => ({}));
        for (const [measure, list] of Object.entries(data.pairs)) {
          for (const [a, b, , , , , verdict] of list) {
            if (a !== place[base] && b !== place[base]) continue;
            const turned = a === place[base] ? { better: "worse", worse: "better" }[verdict] || verdict : verdict;
            verdictsOf[a === place[base] ? b : a][measure.startsWith("lift:") ? "lift" : "preference"] = turned;
          }
        }
        rows.forEach((row) => {
          const cell = row.cells[at], own = verdictsOf[place[row.id]];
          cell.textContent = "";
          if (row.id === base) cell.append("reference");
          else if (!own.preference) cell.append("not tested");
          else {
            cell.append(make("span", { class: `verdict ${own.preference}` }, own.preference));
            if (own.lift) cell.append(make("small", {}, `lift ${own.lift}`));
          }
        });
        filter();
        if (state.sort === "verdict") resort();
      });
    }
    const original = new Map();
    function segments() {
      const wanted = segment.value;
      Promise.all([load("segments"), wanted === "all" ? null : load(`segment-${wanted}`)]).then(([data, chosen]) => {
        if (segment.value !== wanted) return;
        rows.forEach((row, at) => data.columns.forEach((key, k) => {
          const column = keys.indexOf(key), cell = row.cells[column];
          if (!original.has(cell)) original.set(cell, [Array.from(cell.childNodes), cell.dataset.v]);
          if (!chosen) {
            const [nodes, value] = original.get(cell);
            cell.replaceChildren(...nodes);
            value === undefined ? delete cell.dataset.v : (cell.dataset.v = value);
          } else fill(cell, chosen.cells[at][k], heads[column].dataset);
        }));
        filter();
        resort();
      });
    }
    function fill(cell, ends, head) {
      if (!ends) { cell.replaceChildren(MISSING); delete cell.dataset.v; return; }
      const [estimate, low, high] = ends, signed = head.signed === "1", decimals = decimalsFor(low, high);
      const from = Number(head.low), span = Number(head.high) - from || 1;
      const x = (value) => Math.max(-2, Math.min(74, 4 + ((value - from) / span) * 64)).toFixed(1);
      const svg = make("svg", { class: "w", "aria-hidden": "true" });
      if (signed) svg.append(make("path", { class: "z", d: `M${x(0)} 0V12` }));
      svg.append(make("path", { d: `${low === null ? "" : `M${x(low)} 6H${x(high)}`}M${x(estimate)} 3v6` }));
      cell.dataset.v = estimate;
      cell.replaceChildren(number(estimate, decimals, signed), svg);
      if (low !== null) cell.append(make("small", {}, `${number(low, decimals)} to ${number(high, decimals)}`));
    }
    function resort() {
      if (state.sort && keys.includes(state.sort)) sort(table, keys.indexOf(state.sort), state.dir === "ascending" ? "ascending" : "descending");
      else {
        $$(".detail", table).forEach((row) => close(row));
        heads.forEach((head) => head.removeAttribute("aria-sort"));
        table.tBodies[0].append(...rows);
      }
    }
    function remember() {
      const gone = hidden().join(" ");
      keep({
        sort: state.sort, dir: state.sort && state.dir, q: search.value, family: family.value,
        hide: gone === hiddenAtFirst.join(" ") ? "" : gone || "none",
        ref: reference.value === table.dataset.reference ? "" : reference.value,
        segment: segment.value === "all" ? "" : segment.value,
      });
    }
    function restore(params) {
      state.sort = params.get("sort"); state.dir = params.get("dir");
      search.value = params.get("q") || "";
      family.value = families.includes(params.get("family")) ? params.get("family") : "";
      const asked = params.get("hide");
      const gone = new Set(asked === null ? hiddenAtFirst : asked.split(" "));
      $$("input", boxes).forEach((box) => { box.checked = !gone.has(box.value); });
      reference.value = names[params.get("ref")] ? params.get("ref") : table.dataset.reference;
      if (reference.selectedIndex < 0) reference.value = table.dataset.reference;
      const before = segment.value;
      segment.value = "all";
      columns(); verdicts(); filter(); resort();
      if (before !== "all") segments();
    }

    rows.forEach((row) => {
      const more = make("button", { type: "button", class: "more", "aria-expanded": "false", "aria-label": `Details of ${names[row.id]}`, onclick: (event) => { event.stopPropagation(); toggle(row); } }, "\u25B8");
      row.cells[0].prepend(more);
      row.addEventListener("click", (event) => { if (!event.target.closest("a, button") && !String(getSelection())) toggle(row); });
      row.addEventListener("auxclick", (event) => { if (event.button === 1 && !event.target.closest("a")) open($("th a", row).href); });
    });
    function toggle(row) {
      const more = $(".more", row), next = row.nextElementSibling;
      if (next && next.className === "detail") return close(next);
      more.setAttribute("aria-expanded", "true");
      const cell = make("td", { colspan: keys.length }), detail = make("tr", { class: "detail" }, cell);
      row.after(detail);
      const links = make("p", {}, make("a", { href: `generators/${row.id}.html` }, "Details"), " \u00b7 ", make("a", { href: `compare.html?a=${encodeURIComponent(reference.value === row.id ? rows.find((other) => other !== row).id : reference.value)}&b=${encodeURIComponent(row.id)}` }, `Compare with ${names[reference.value === row.id ? rows.find((other) => other !== row).id : reference.value]}`));
      cell.append(links);
      load(`generator-${row.id}`).then((generator) => {
        const first = generator.images.filter(([, replicate]) => replicate === 0).slice(0, 12);
        if (!first.length) { cell.append(make("p", {}, "No images may be shown.")); return; }
        cell.append(make("p", {}, "The first image of each of these users:"), make("div", { class: "strip" }, ...first.map((image) => thumb(generator, image))));
      });
    }
    restore(query());
  }

  function thumb(generator, [user, replicate, digest]) {
    const src = `${here}/images/${digest}.webp`;
    const image = make("img", { src, alt: `image ${replicate + 1} for ${generator.users[user]} by ${generator.title}`, width: 64, height: 64, loading: "lazy" });
    return make("a", { class: "pic", href: src, "data-g": generator.id, "data-u": user, "data-k": replicate }, image);
  }

  /* ---- the plane: names on hover and focus ------------------------------------------------------------------- */
  function plane(box) {
    $$("a", box).forEach((link) => {
      const mark = $("[aria-label]", link);
      if (!mark) return;
      link.setAttribute("aria-label", mark.getAttribute("aria-label"));
      mark.removeAttribute("aria-label");
      tip(link, link.getAttribute("aria-label"), mark);
    });
  }

  /* ---- lightbox ---------------------------------------------------------------------------------------------- */
  function lightbox() {
    const title = make("h2", { id: "lightbox-title" }), view = make("div", { class: "view" });
    const dialog = make("dialog", { "aria-labelledby": "lightbox-title" },
      make("div", { class: "bar" }, title, make("span", {},
        make("button", { type: "button", onclick: () => step(-1) }, "Previous"), " ",
        make("button", { type: "button", onclick: () => step(1) }, "Next"), " ",
        make("button", { type: "button", onclick: () => dialog.close() }, "Close"))), view);
    document.body.append(dialog);
    let current = null;
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight") step(1);
      if (event.key === "ArrowLeft") step(-1);
    });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => current && current.focus());
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a.pic");
      if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      show(link);
    });
    function step(by) {
      const all = $$("a.pic").filter((link) => link.offsetParent);
      const next = all[all.indexOf(current) + by];
      if (next) show(next);
    }
    function show(link) {
      current = link;
      const image = $("img", link);
      title.textContent = image.alt[0].toUpperCase() + image.alt.slice(1);
      view.replaceChildren(make("div", {}, make("img", { src: link.href, alt: image.alt })));
      const facts = make("div");
      view.append(facts);
      if (!dialog.open) dialog.showModal();
      if (!link.dataset.g) {
        const digest = link.href.split("/").pop().replace(".webp", "");
        facts.append(list([["what", "a training item, rated by the user"], ["digest", code(digest)]]));
        return;
      }
      load(`generator-${link.dataset.g}`).then((generator) => {
        if (current !== link) return;
        const found = generator.images.find(([u, k]) => u === Number(link.dataset.u) && k === Number(link.dataset.k));
        if (!found) return;
        const [user, , digest, seed, scores, place] = found;
        const lines = Object.entries(scores).map(([name, value]) => [generator.names[name], number(value, 3)]);
        const primary = document.body.dataset.primary;
        if (place !== null) lines.push(["percentile", `above ${place} % of all images generated for this user, by: ${generator.names[primary]}`]);
        lines.unshift(["for", make("a", { href: `${here}/users/${user}.html` }, generator.users[user])]);
        lines.push(["seed", code(seed)], ["digest", code(digest)], ["settings", make("a", { href: `${here}/generators/${generator.id}.html` }, generator.title)]);
        facts.append(list(lines));
        const others = generator.others[user];
        if (others && others.length && others[0] >= 0 && others[others.length - 1] <= 1) facts.append(make("p", { class: "note" }, "Preference of other users for this user's set (thin) and of the user (thick), from 0 to 1:"), strip(others, generator, user));
      });
    }
    const code = (text) => make("code", {}, text);
    function list(lines) {
      return make("dl", {}, ...lines.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
    }
    function strip(others, generator, user) {
      const svg = make("svg", { class: "others", viewBox: "0 0 200 28", preserveAspectRatio: "none", role: "img" });
      const own = generator.own[user];
      svg.setAttribute("aria-label", `Other users from ${number(others[0], 2)} to ${number(others[others.length - 1], 2)}, the user ${number(own, 2)}`);
      others.forEach((value) => svg.append(make("line", { x1: value * 200, x2: value * 200, y1: 8, y2: 20 })));
      if (own !== null) svg.append(make("line", { class: "own", x1: own * 200, x2: own * 200, y1: 2, y2: 26 }));
      return svg;
    }
  }

  /* ---- two generators side by side --------------------------------------------------------------------------- */
  function compare(root) {
    const columns = JSON.parse($("#columns").textContent)[0], primary = document.body.dataset.primary;
    const a = $("#a"), b = $("#b"), params = query();
    let names = [];
    const has = (select, value) => Array.from(select.options).some((option) => option.value === value);
    a.value = has(a, params.get("a")) ? params.get("a") : root.dataset.reference;
    b.value = has(b, params.get("b")) ? params.get("b") : (Array.from(b.options).find((option) => option.value !== a.value) || b.options[0]).value;
    root.hidden = false;
    a.addEventListener("change", draw); b.addEventListener("change", draw);
    $("#swap").addEventListener("click", () => { const old = a.value; a.value = b.value; b.value = old; draw(); });

    function draw() {
      keep({ a: a.value, b: b.value });
      const chosen = [a.value, b.value];
      Promise.all([withAllValues(a.value), withAllValues(b.value), load("pairs"), namesOfUsers(columns.names)]).then(([left, right, pairs, all]) => {
        names = all;
        if (chosen[0] === a.value && chosen[1] === b.value) { table(left, right, pairs); charts(left, right); gains(left, right); }
      });
    }
    const both = (x, y) => x.map((value, k) => [k, value, y[k]]).filter(([, u, v]) => u !== null && v !== null);
    const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
    function spread(list) { const m = mean(list); return Math.sqrt(list.reduce((sum, value) => sum + (value - m) ** 2, 0) / (list.length - 1)); }

    function table(left, right, pairs) {
      const body = $("#differences tbody");
      body.replaceChildren();
      $("#verdict").textContent = "";
      columns.columns.forEach((key, k) => {
        const users = both(left.values[key] || [], right.values[key] || []);
        if (!users.length) return;
        const gap = users.map(([, u, v]) => u - v), tested = find(pairs, key, left.id, right.id);
        let ends = [mean(gap), null, null];
        if (tested) ends = tested.slice(0, 3);
        else if (gap.length > 1) { const half = (studentT(gap.length - 1) * spread(gap)) / Math.sqrt(gap.length); ends = [ends[0], ends[0] - half, ends[0] + half]; }
        const sign = columns.higher[k] === false ? -1 : 1;
        const better = gap.filter((value) => sign * value > 0).length + gap.filter((value) => value === 0).length / 2;
        const text = withInterval(...ends, true) + (tested ? `, ${tested[4]}, adjusted p ${pValue(tested[3])}` : "");
        body.append(make("tr", {}, make("th", { scope: "row" }, columns.headings[k]), make("td", {}, number(mean(users.map(([, u]) => u)), 3)), make("td", {}, number(mean(users.map(([, , v]) => v)), 3)), make("td", {}, text), make("td", {}, columns.higher[k] === null ? MISSING : `${Math.round((100 * better) / gap.length)} %`)));
        if (key === primary) {
          const models = root.dataset.models ? ` (${root.dataset.models})` : "";
          const verdict = tested ? { better: "is better than", worse: "is worse than", equivalent: "is equivalent to" }[tested[4]] : null;
          $("#verdict").textContent = left.id === right.id ? "Choose two different generators." : verdict ? `${left.title} ${verdict} ${right.title} in preference${models}: ${withInterval(...ends, true)}.` : tested ? `Preference does not decide between ${left.title} and ${right.title}${models}: ${withInterval(...ends, true)}.` : `${left.title} and ${right.title} were not tested against each other; the difference in preference is ${withInterval(...ends, true)}, exploratory.`;
        }
      });
    }
    function find(pairs, measure, left, right) {
      const i = pairs.ids.indexOf(left), j = pairs.ids.indexOf(right);
      const pair = (pairs.pairs[measure] || []).find(([x, y]) => (x === i && y === j) || (x === j && y === i));
      if (!pair) return null;
      const [x, , d, low, high, p, verdict] = pair;
      if (x === i) return [d, low, high, p, verdict];
      return [-d, high === null ? null : -high, low === null ? null : -low, p, { better: "worse", worse: "better" }[verdict] || verdict];
    }
    /* two-sided 95 % quantile of Student's t: Hill 1970, Algorithm 396 */
    function studentT(n) {
      if (n === 1) return 12.7062;
      if (n === 2) return 4.30265;
      const q = 1 / (n - 0.5), r = 48 / (q * q);
      let c = ((20700 * q / r - 98) * q - 16) * q + 96.36;
      const d = ((94.5 / (r + c) - 3) / r + 1) * Math.sqrt(q * Math.PI / 2) * n;
      const z = -1.959964;
      let y = Math.pow(d * 0.05, 2 / n);
      if (y > 0.05 + q) {
        y = z * z;
        if (n < 5) c += 0.3 * (n - 4.5) * (z + 0.6);
        c = (((0.05 * d * z - 5) * z - 7) * z - 2) * z + r + c;
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / r + 1) * z;
        y = Math.expm1(q * y * y);
      } else y = ((1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)) * y - 1) * (n + 1) / (n + 2) + 1 / y;
      return Math.sqrt(n * y);
    }

    const MOST_DOTS = 1000, MOST_ROWS = 100;
    function charts(left, right) {
      const users = both(left.values[primary], right.values[primary]);
      $("#scatter").replaceChildren(plot(users.map(([k, u, v]) => [v, u, names[k]]), right.title, left.title, "square"));
      const gaps = users.map(([k, u, v]) => [(u + v) / 2, u - v, names[k]]);
      $("#bland").replaceChildren(plot(gaps, "mean of both", "A minus B", "lines"));
      $$(".some").forEach((note) => { note.hidden = users.length <= MOST_DOTS; note.textContent = `${MOST_DOTS.toLocaleString("en")} of ${users.length.toLocaleString("en")} users are drawn; lines and scales are of all.`; });
    }
    function plot(points, xTitle, yTitle, kind) {
      const W = 520, H = 380, L = 56, B = 44, T = 12, R = 12;
      const drawn = points.filter((_, at) => at === 0 || Math.floor((at * MOST_DOTS) / points.length) > Math.floor(((at - 1) * MOST_DOTS) / points.length));
      const some = drawn.length < points.length ? `${drawn.length.toLocaleString("en")} of ` : "";
      const svg = make("svg", { class: "plot", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${some}${points.length} users; across: ${xTitle}; upwards: ${yTitle}` });
      if (!points.length) return svg;
      const range = (k, more) => { const all = points.map((p) => p[k]).concat(more); const low = all.reduce((x, y) => Math.min(x, y)), high = all.reduce((x, y) => Math.max(x, y)), pad = (high - low || 1) * 0.05; return [low - pad, high + pad]; };
      const gaps = points.map((p) => p[1]), m = mean(gaps), s = gaps.length > 1 ? 1.96 * spread(gaps) : 0;
      let xs = range(0, []), ys = range(1, kind === "lines" ? [0, m - s, m + s] : []);
      if (kind === "square") xs = ys = [Math.min(xs[0], ys[0]), Math.max(xs[1], ys[1])];
      const x = (v) => L + ((v - xs[0]) / (xs[1] - xs[0])) * (W - L - R), y = (v) => H - B - ((v - ys[0]) / (ys[1] - ys[0])) * (H - B - T);
      const ticks = ([low, high]) => { const power = 10 ** Math.floor(Math.log10((high - low) / 3)); const step = [1, 2, 5, 10].map((m) => m * power).find((s) => (high - low) / s <= 6); const out = []; for (let v = Math.ceil(low / step) * step; v <= high; v += step) out.push(v); return out; };
      ticks(xs).forEach((v) => svg.append(make("line", { x1: x(v), x2: x(v), y1: T, y2: H - B }), make("text", { x: x(v), y: H - B + 18, "text-anchor": "middle" }, number(v, 2))));
      ticks(ys).forEach((v) => svg.append(make("line", { x1: L, x2: W - R, y1: y(v), y2: y(v) }), make("text", { x: L - 6, y: y(v) + 4, "text-anchor": "end" }, number(v, 2))));
      if (kind === "square") svg.append(make("line", { class: "axis", x1: x(xs[0]), y1: y(xs[0]), x2: x(xs[1]), y2: y(xs[1]) }));
      else {
        [[m, "mid"], [m - s, "far"], [m + s, "far"]].forEach(([v, name]) => svg.append(make("line", { class: name, x1: L, x2: W - R, y1: y(v), y2: y(v) })));
      }
      drawn.forEach(([u, v, name]) => { const dot = make("circle", { cx: x(u).toFixed(1), cy: y(v).toFixed(1), r: drawn.length > 300 ? 2.5 : 4 }); const title = document.createElementNS("http://www.w3.org/2000/svg", "title"); title.textContent = `${name}: ${number(u, 3)}, ${number(v, 3)}`; dot.append(title); svg.append(dot); });
      svg.append(make("text", { x: W - R, y: H - 6, "text-anchor": "end" }, `${xTitle} \u2192`), make("text", { x: 4, y: 10 }, `\u2191 ${yTitle}`));
      return svg;
    }

    function gains(left, right) {
      const box = $("#gains"), shown = new Set(columns.shown);
      const users = both(left.values[primary], right.values[primary]).map(([k, u, v]) => [k, u - v]).sort((x, y) => y[1] - x[1]);
      const body = make("tbody");
      const row = ([k, gap]) => {
        const strip = (generator) => make("div", { class: "strip" }, ...generator.images.filter(([user]) => user === k).sort((p, q) => p[1] - q[1]).map((image) => thumb(generator, image)));
        const name = shown.has(k) ? make("a", { href: `users/${k}.html` }, names[k]) : names[k];
        const images = shown.has(k) ? [make("td", {}, strip(left)), make("td", {}, strip(right))] : [make("td", {}, MISSING), make("td", {}, MISSING)];
        return make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, number(gap, 3, true)), ...images);
      };
      const between = users.slice(MOST_ROWS, -MOST_ROWS);
      if (users.length <= 2 * MOST_ROWS) body.append(...users.map(row));
      else {
        const withImages = between.filter(([k]) => shown.has(k)).map(row);
        const all = () => { withImages.forEach((own) => own.remove()); rest.replaceWith(...between.map(row)); };
        const text = `Show all ${between.length.toLocaleString("en")} users between, not only those with images`;
        const rest = make("tr", {}, make("td", { colspan: 4 }, make("button", { type: "button", onclick: all }, text)));
        body.append(...users.slice(0, MOST_ROWS).map(row), rest, ...withImages, ...users.slice(-MOST_ROWS).map(row));
      }
      const head = make("thead", {}, make("tr", {}, ...["user", "A minus B", `A: ${left.title}`, `B: ${right.title}`].map((text) => make("th", { scope: "col" }, text))));
      box.replaceChildren(make("div", { class: "scroll", role: "region", "aria-label": "Gains and losses", tabindex: 0 }, make("table", {}, head, body)));
    }
    draw();
  }

  /* ---- a user on another page of the list ------------------------------------------------------------------- */
  function find(form) {
    const starts = form.dataset.starts.split(" ").map(Number);
    const field = make("input", { type: "search", id: "user", size: 16, required: true }), message = make("p", { class: "note", role: "status" });
    form.append(make("label", {}, "Find a user", field), make("button", {}, "Find"), message);
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const wanted = field.value.trim().toLowerCase();
      namesOfUsers(form.dataset.names).then((all) => {
        const names = all.map((name) => name.toLowerCase());
        const tests = [(name) => name === wanted, (name) => name.startsWith(wanted), (name) => name.includes(wanted)];
        const user = tests.map((test) => names.findIndex(test)).find((at) => at >= 0);
        if (user === undefined) { message.textContent = `No user is called ${field.value}.`; return; }
        const page = starts.filter((start) => start <= user).length;
        location.href = `${page === 1 ? "users" : `users-${page}`}.html#u${user}`;
      });
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.body.append(bubble);
    const board = $("#board");
    if (board) leaderboard(board);
    if ($("#find")) find($("#find"));
    $$("table.sortable").forEach((table) => sortable(table));
    $$(".plane").forEach(plane);
    if ($("a.pic") || board || $("#compare")) lightbox();
    if ($("#compare")) compare($("#compare"));
  });
})();
