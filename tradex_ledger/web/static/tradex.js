// What the pages do beyond links and forms: without this file all of it works but live, tips and keys.
"use strict";
(() => {
  const body = document.body, query = (s, within = document) => within.querySelector(s);
  const all = (s, within = document) => [...within.querySelectorAll(s)];
  const isPinned = body.dataset.pinned === "yes";
  if (!body.dataset.position) return;

  // -- live: one stream, of the tab that is seen; a page that is pinned only counts what came later
  let position = Number(body.dataset.position), stream = null, asked = 0, timer = null;
  const pill = query("#live");
  const isHalfTyped = () => all("textarea, input:not([type=hidden]):not(#at)").some((one) =>
    one.type === "checkbox" ? one.checked !== one.defaultChecked : one.value !== one.defaultValue)
    || (document.activeElement && document.activeElement.closest("form.deed, form.filter, form.when"));
  const later = () => {
    const said = query("#later");
    if (said) said.textContent = position > Number(body.dataset.position) ? ` (${position - Number(body.dataset.position)} later)` : "";
  };
  const fetched = (address, then) => {
    const ask = new XMLHttpRequest();
    ask.open("GET", address);
    ask.responseType = "document";
    ask.onload = () => { if (ask.status === 200 && ask.response) then(ask.response); };
    ask.send();
  };
  const swap = () => {
    timer = null;
    if (isHalfTyped()) { timer = setTimeout(swap, 1500); return; }
    asked = Date.now();
    const shown = all("details[open] > summary").map((one) => one.textContent);
    fetched(location.href, (page) => {
      if (isHalfTyped()) { timer = setTimeout(swap, 1500); return; }
      for (const place of ["#main", ".top"]) {
        const fresh = query(place, page), old = query(place);
        if (fresh && old) old.replaceWith(document.adoptNode(fresh));
      }
      body.dataset.position = page.body.dataset.position;
      body.dataset.at = page.body.dataset.at;
      for (const one of all("summary")) if (shown.includes(one.textContent)) one.parentElement.open = true;
      begin();
    });
  };
  const moved = (to) => {
    position = to;
    if (isPinned) { later(); return; }
    if (position > Number(body.dataset.position) && timer === null)
      timer = setTimeout(swap, Math.max(0, 1500 - (Date.now() - asked)));
  };
  const listen = () => {
    if (document.hidden) { if (stream) stream.close(); stream = null; return; }
    if (stream) return;
    stream = new EventSource(`/live?after=${position}`);
    stream.addEventListener("position", (told) => moved(Number(told.data)));
    stream.onopen = () => { const p = query("#live"); if (p) p.classList.remove("off"); };
    stream.onerror = () => { const p = query("#live"); if (p) p.classList.add("off"); };
  };
  document.addEventListener("visibilitychange", listen);
  addEventListener("pagehide", () => { if (stream) stream.close(); stream = null; });
  addEventListener("pageshow", listen);

  // -- the slider of all moments, on a page that is pinned
  const slide = () => {
    if (!isPinned) return;
    fetched(`/moments?path=${encodeURIComponent(location.pathname)}&at=${encodeURIComponent(body.dataset.at)}`, (page) => {
      const fresh = query("svg.slider", page), old = query("#slider svg");
      if (!fresh || !old) return;
      old.replaceWith(document.adoptNode(fresh));
      const next = all("#slider a").find((one) => Number(one.dataset.position) > Number(body.dataset.position));
      const after = query("#after");
      if (next && after) after.setAttribute("href", next.getAttribute("href"));
    });
  };

  // -- the proof: the browser hashes it again (RFC 9162, 2.1.3.2)
  const bytes = (hex) => Uint8Array.from(hex.match(/../g) || [], (two) => parseInt(two, 16));
  const hex = (some) => [...some].map((one) => one.toString(16).padStart(2, "0")).join("");
  const sha = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer()));
  const prove = async () => {
    const place = query("#proof"), said = query("#verdict");
    if (!place || !globalThis.crypto || !crypto.subtle) return;
    let fn = BigInt(place.dataset.index), sn = BigInt(place.dataset.size) - 1n;
    let r = await sha(new Uint8Array([0]), new TextEncoder().encode(query("#entry").textContent));
    let holds = hex(r) === place.dataset.leaf;
    for (const one of place.dataset.path.split(" ").filter(Boolean)) {
      const p = bytes(one);
      if (sn === 0n) holds = false;
      if (fn & 1n || fn === sn) {
        r = await sha(new Uint8Array([1]), p, r);
        while (!(fn & 1n) && fn !== 0n) { fn >>= 1n; sn >>= 1n; }
      } else r = await sha(new Uint8Array([1]), r, p);
      fn >>= 1n; sn >>= 1n;
    }
    holds = holds && sn === 0n && hex(r) === place.dataset.root && hex(r).startsWith(body.dataset.at.split(".")[1]);
    said.textContent = holds
      ? "This browser has hashed it again: the entry is in the tree under the head of this page."
      : "This browser has hashed it again, and it does not lead to the head of this page.";
    said.classList.add(holds ? "held" : "broken");
  };

  // -- the calendar: tips, filters of the legend, arrows
  const tip = document.createElement("div");
  tip.id = "tip"; tip.hidden = true; tip.setAttribute("aria-hidden", "true");
  const point = (event) => {
    const cell = event.target.closest && event.target.closest("a[data-day]");
    tip.hidden = !cell;
    if (!cell) return;
    tip.textContent = cell.getAttribute("aria-label");
    const box = cell.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(box.left + scrollX, scrollX + innerWidth - 364))}px`;
    tip.style.top = `${box.top + scrollY - tip.offsetHeight - 8}px`;
  };
  document.addEventListener("pointerover", point);
  document.addEventListener("focusin", point);
  const legend = (event) => {
    const button = event.target.closest && event.target.closest("button[data-show]");
    if (!button) return;
    const isOn = button.getAttribute("aria-pressed") !== "true";
    for (const one of all("button[data-show]")) one.setAttribute("aria-pressed", String(one === button && isOn));
    for (const one of all("a[data-day]"))
      one.classList.toggle("dim", isOn && !one.dataset.is.split("|").includes(button.dataset.show));
  };
  document.addEventListener("click", legend);
  const walk = (event) => {
    const cell = event.target.closest && event.target.closest("a[data-day]");
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] || [0, 0];
    if (!cell || (!dx && !dy)) return;
    const x = Number(cell.dataset.x) + dx, y = Number(cell.dataset.y) + dy;
    let next = query(`a[data-day][data-x="${x}"][data-y="${y}"]`);
    if (!next) return;
    event.preventDefault();
    cell.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  };

  // -- keys (they can be switched off: WCAG 2.1.4)
  const keysAre = () => { try { return localStorage.getItem("keys") !== "off"; } catch { return true; } };
  const go = { t: "/", r: "/runs", d: "/datasets", l: "/log", b: "/tables" };
  let isGoing = false;
  const pinnedTo = (path) => isPinned ? `${path}?at=${body.dataset.at}` : path;
  const help = () => {
    let box = query("dialog#keys");
    if (!box) {
      box = document.createElement("dialog"); box.id = "keys"; box.setAttribute("aria-label", "Keys");
      const text = ["g t, r, d, l, b: Today, Runs, Datasets, Log, Tables", "[ and ]: the moment before, the next one", ". : now",
        "p: a link to this very page", "a: the box for a position, a day or a time", "arrows and Enter: within the calendar", "?: this"];
      for (const line of text) { const p = document.createElement("p"); p.textContent = line; box.append(p); }
      const off = document.createElement("button"), shut = document.createElement("button");
      const label = () => { off.textContent = keysAre() ? "Switch single keys off" : "Switch single keys on"; };
      off.onclick = () => { try { localStorage.setItem("keys", keysAre() ? "off" : "on"); } catch { /* a browser without memory */ } label(); };
      shut.textContent = "Close"; shut.onclick = () => box.close();
      label(); box.append(off, " ", shut); body.append(box);
    }
    box.showModal();
  };
  const click = (s) => { const one = query(s); if (one && !one.hidden && one.getAttribute("href")) location.assign(one.getAttribute("href")); };
  document.addEventListener("keydown", (event) => {
    walk(event);
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
    if (event.key === "?") { help(); return; }
    if (!keysAre()) return;
    if (isGoing && go[event.key]) { isGoing = false; location.assign(pinnedTo(go[event.key])); return; }
    isGoing = event.key === "g";
    if (event.key === "[") click("#before");
    if (event.key === "]") click("#after");
    if (event.key === ".") click("#now");
    if (event.key === "p") click("#permalink");
    if (event.key === "a") { event.preventDefault(); query("#at").select(); }
  });

  const begin = () => {
    for (const one of all(".calendar .grid, .latest")) one.scrollLeft = one.scrollWidth;
    later();
    prove();
  };
  body.append(tip);
  begin();
  slide();
  listen();
})();
