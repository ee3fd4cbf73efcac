// The dashboard. A client of /v1 like any other: it reads /v1/status once a second and follows /v1/events. It changes
// nothing; every action is shown as the command that does it. It never shows what it does not know as well: unknown is
// grey, and a page that has lost its source says since when.
"use strict";

const POLL_MS = 1000;
const STALE_MS = 5000;
const EVENTS_SHOWN = 60;

const state = { status: null, received: 0, events: [], who: null };
const byId = (id) => document.getElementById(id);

// ---- elements: built as data, then laid over what is there, so that focus, selection and open details stay ----

const flat = (nodes) => nodes.flat(9).filter((node) => node !== null && node !== undefined && node !== false);

function h(tag, attributes, ...children) {
  return { tag, attributes: attributes || {}, children: flat(children) };
}

function create(node) {
  if (typeof node !== "object") return document.createTextNode(String(node));
  const element = document.createElement(node.tag);
  update(element, node);
  return element;
}

function update(element, node) {
  for (const { name } of [...element.attributes]) {
    if (!(name in node.attributes) && name !== "open" && name !== "style") element.removeAttribute(name);
  }
  for (const [name, value] of Object.entries(node.attributes)) {
    if (name === "click") element.onclick = value;
    else if (name === "vars") for (const [key, part] of Object.entries(value)) element.style.setProperty(key, part);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  }
  lay(element, node.children);
}

function lay(parent, parts) {
  const nodes = flat(parts);
  nodes.forEach((node, at) => {
    const old = parent.childNodes[at];
    if (!old) parent.append(create(node));
    else if (typeof node !== "object") {
      if (old.nodeType !== Node.TEXT_NODE) old.replaceWith(create(node));
      else if (old.data !== String(node)) old.data = String(node);
    } else if (old.nodeType === Node.ELEMENT_NODE && old.tagName === node.tag.toUpperCase()
      && (old.dataset.key || "") === (node.attributes["data-key"] || "")) update(old, node);
    else old.replaceWith(create(node));
  });
  while (parent.childNodes.length > nodes.length) parent.lastChild.remove();
}

// ---- words ----

const percent = (value) => (value === null || value === undefined ? "–" : `${+value.toFixed(2)} %`);
const ratio = (value) => (value === null || value === undefined ? "–" : `${+(value * 100).toFixed(value < 0.01 ? 3 : 2)} %`);
const errors = (value) => (value === null || value === undefined ? "–" : `${+(value * 100).toFixed(2)} %`);
const millis = (seconds) => (seconds === null || seconds === undefined ? "–" : `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`);
const clock = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

// By the server's clock, carried on by ours: the two need not agree.
const serverNow = () => Date.parse(state.status.at) + (Date.now() - state.received);
const age = (time) => span(serverNow() - Date.parse(time));

const badge = (kind, word, attributes) => h("span", { class: `badge ${kind}`, ...attributes }, word || kind);

const STATES = { up: "healthy", degraded: "degraded", down: "down", unknown: "unknown" };

function cli(command) {
  const copy = (event) => {
    const button = event.currentTarget;
    const done = () => { button.textContent = "copied"; setTimeout(() => { button.textContent = "copy as CLI"; }, 1500); };
    const select = () => getSelection().selectAllChildren(button.previousSibling);
    if (navigator.clipboard) navigator.clipboard.writeText(command).then(done, select);
    else select();
  };
  return h("div", { class: "cli", "data-key": command }, h("code", { tabindex: "0" }, command), h("button", { type: "button", click: copy }, "copy as CLI"));
}

// ---- the parts of the page ----

function overall(status) {
  const wrong = status.services.filter((s) => s.state !== "up");
  const words = wrong.length === 0
    ? `${plural(status.services.length, "service")}, everything is up`
    : wrong.map((s) => `${s.name}: ${s.summary[0] || STATES[s.state]}`).join(" · ");
  return [badge(status.state, STATES[status.state].toUpperCase()), h("span", {}, words),
    status.instance.ready ? null : badge("warn", `not ready: ${status.instance.not_ready}`)];
}

function about(status) {
  const { edge, config, instance } = status;
  const lag = edge.in_step ? `revision ${status.revision} on ${plural(edge.workers, "worker")}`
    : `revision ${status.revision}, workers still on ${edge.confirmed_revision}`;
  const who = state.who ? ` · ${state.who.actor} (${state.who.role})` : "";
  const listeners = instance.listeners.map((l) => `${l.name} ${l.tls ? "https" : "http"}://${l.address}`).join(", ");
  return [h("div", {}, `${lag} · configuration ${config.hash} from ${config.origin}`),
    h("div", {}, `${listeners || "no listener"} · version ${instance.version}, up ${age(instance.started_at)}${who}`)];
}

// Read out as they change, so nothing in them counts seconds.
function alerts(status, staleSince) {
  const list = [];
  if (staleSince) list.push(h("div", { class: "alert", "data-key": "stale" }, `No answer since ${staleSince}: what is shown is from then, and may be wrong now.`));
  const failed = status && status.config.last_error;
  if (failed) {
    list.push(h("div", { class: "alert", "data-key": "config" }, `The configuration from ${failed.origin} was refused at ${clock(failed.at)}; ${status.config.hash} keeps running.`,
      h("details", {}, h("summary", {}, plural(failed.diagnostics.length, "finding")), h("pre", {}, failed.rendered))));
  }
  return list;
}

function shareBar(backend) {
  const s = backend.shares;
  const label = `${backend.name}: effective ${percent(s.effective)}, target ${percent(s.target)}, declared ${percent(s.declared)}`;
  return [
    h("div", { class: "bar", role: "img", "aria-label": label, title: label },
      h("i", { vars: { "--part": `${s.effective}%` } }),
      h("s", { vars: { "--at": `${s.declared}%` } }), h("b", { vars: { "--at": `${s.target}%` } })),
    h("div", { class: "bar thin", role: "img", "aria-label": `measured ${percent(s.new_sessions)}`, title: `measured ${percent(s.new_sessions)} of new sessions` },
      h("i", { vars: { "--part": `${s.new_sessions || 0}%` } })),
  ];
}

function reasons(endpoint) {
  const said = endpoint.reasons.filter((r) => r.reason !== "passed");
  if (said.length === 0) return "";
  return said.map((r) => (r.reason === "status" ? `answers ${r.status}` : `failed: ${r.reason}`)).join(", ");
}

function endpointLine(endpoint) {
  const kind = endpoint.admin_state === "ready" ? endpoint.observed_state : "off";
  const word = endpoint.admin_state === "ready" ? endpoint.observed_state : endpoint.admin_state;
  const words = [reasons(endpoint), endpoint.since ? `for ${age(endpoint.since)}` : "not seen yet",
    endpoint.checked_at ? `checked ${age(endpoint.checked_at)} ago` : null,
    endpoint.weight_ratio < 1 ? `returning, ${ratio(endpoint.weight_ratio)} of its weight` : null];
  return h("li", { "data-key": endpoint.name }, badge(kind, word), ` ${endpoint.name} `, h("span", { class: "sub" }, words.filter(Boolean).join(" · ")));
}

function endpoints(backend) {
  const broken = backend.endpoints.filter((e) => e.admin_state === "ready" && e.observed_state !== "up");
  const rest = backend.endpoints.filter((e) => !broken.includes(e));
  const more = [...broken.slice(3), ...rest];
  return [
    broken.length ? h("ul", { class: "endpoints" }, broken.slice(0, 3).map(endpointLine)) : null,
    more.length === 0 ? null : h("details", {},
      h("summary", { class: "sub" }, broken.length ? `${more.length} more` : plural(more.length, "endpoint")),
      h("ul", { class: "endpoints" }, more.map(endpointLine))),
  ];
}

function backendRows(service, backend) {
  const { shares: s, load } = backend;
  const kind = backend.off ? "off" : backend.observed_state;
  const word = backend.off ? (backend.admin_state === "ready" ? "off" : backend.admin_state) : backend.observed_state;
  const place = [backend.provider === backend.name ? null : backend.provider, backend.region, backend.role === "standby" ? "standby" : `weight ${backend.weight}`];
  const why = h("button", { class: "link", type: "button", click: () => explain(service.name, backend.name) }, "explain");
  return [
    h("tr", { "data-key": backend.name },
      h("th", { scope: "row" }, h("span", { class: "name" }, backend.name), h("div", { class: "sub" }, place.filter(Boolean).join(" · "))),
      h("td", {}, badge(kind, word), h("div", { class: "sub" }, `${backend.endpoints_up}/${backend.endpoints_total} up`)),
      h("td", { class: "number" }, percent(s.declared)),
      h("td", { class: "number" }, percent(s.override)),
      h("td", { class: "number" }, percent(s.target)),
      h("td", { class: "number big" }, percent(s.effective)),
      h("td", {}, shareBar(backend)),
      h("td", { class: "number" }, percent(s.new_sessions)),
      h("td", { class: "number" }, `${load.requests_per_second.toFixed(load.requests_per_second < 10 ? 1 : 0)}/s`),
      h("td", { class: "number" }, millis(load.latency_p95_seconds)),
      h("td", { class: "number" }, errors(load.error_ratio))),
    h("tr", { "data-key": `${backend.name}-why` }, h("td", { class: "why", colspan: "11" }, h("div", {}, backend.why ? `${backend.why} · ` : "", why), endpoints(backend))),
  ];
}

function serviceCard(service) {
  const mode = service.mode === "serve" ? null : badge("down", service.mode === "refuse" ? "refuses requests" : "fail-open");
  const head = ["Backend", "State", "Declared", "Override", "Target", "Effective", "Share", "Measured", "Requests", "p95", "Errors"];
  const numbers = new Set(["Declared", "Override", "Target", "Effective", "Measured", "Requests", "p95", "Errors"]);
  return h("article", { class: "card", "data-key": service.name },
    h("div", { class: "head" }, h("h3", {}, service.name), badge(service.state, STATES[service.state]), mode,
      h("span", { class: "note" }, `on ${service.listeners.join(", ")}${service.shift ? ` · shift ${service.shift} is running` : ""}`)),
    service.summary.length ? h("ul", { class: "summary" }, service.summary.map((line) => h("li", {}, line))) : null,
    h("table", {},
      h("thead", {}, h("tr", {}, head.map((word) => h("th", { scope: "col", class: numbers.has(word) ? "number" : "" }, word)))),
      h("tbody", {}, service.backends.map((backend) => backendRows(service, backend)))),
    h("div", { class: "legend", "aria-hidden": "true" }, h("span", { class: "l-effective" }, "effective"), h("span", { class: "l-target" }, "target"),
      h("span", { class: "l-declared" }, "declared"), h("span", { class: "l-measured" }, "measured, last minute")));
}

const rowText = (row) => Object.entries(row).map(([name, share]) => `${name} ${+share.toFixed(2)}`).join("  ");

function shiftItem(shift) {
  const kinds = { completed: "up", aborted: "degraded", superseded: "off", holding: "degraded", paused: "degraded", returning: "degraded" };
  const kind = kinds[shift.phase] || "moving";
  const left = shift.bake_seconds - shift.step_age_seconds;
  const receivers = Object.entries(shift.receivers).map(([name, r]) => {
    const limit = r.p95_limit_seconds ? ` (limit ${millis(r.p95_limit_seconds)})` : "";
    return h("div", { class: "sub" }, `at ${name}: p95 ${millis(r.p95_seconds)}${limit}, errors ${ratio(r.error_ratio)}, ${r.requests.toLocaleString("en")} requests`);
  });
  const done = `${Math.round(shift.progress_ratio * 100)} %`;
  return h("div", { class: "item", "data-key": shift.id },
    h("div", { class: "row" }, h("strong", {}, `${shift.service} ${shift.id}`), badge(kind, shift.phase), h("span", { class: "sub" }, `${shift.actor}${shift.reason ? ` · ${shift.reason}` : ""}`)),
    h("div", { class: "steps" }, `${rowText(shift.from)}  →  ${rowText(shift.to)}`),
    h("div", { class: "bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": Math.round(shift.progress_ratio * 100), "aria-label": `shift ${shift.id}` },
      h("i", { vars: { "--part": `${shift.progress_ratio * 100}%` } })),
    h("div", { class: "sub" }, shift.ended ? `ended ${age(shift.ended_at)} ago` : `step ${shift.step} of ${shift.steps}, ${done}: now ${rowText(shift.now)}${shift.phase === "baking" && left > 0 ? `; watched for another ${span(left * 1000)}` : ""}`),
    shift.note ? h("div", {}, shift.note) : null,
    receivers,
    shift.ended ? null : [shift.phase === "paused" || shift.phase === "holding" ? cli(`bascule resume ${shift.id}`) : cli(`bascule pause ${shift.id}`), shift.phase === "returning" ? null : cli(`bascule abort ${shift.id}`)]);
}

function proofText(evacuation) {
  const p = evacuation.proof;
  const answered = Object.entries(p.answered).map(([name, count]) => `${name} ${count}`).join(", ");
  return `${p.holds ? "proven" : "NOT proven"}: ${p.probes - p.failed} of ${p.probes} probes answered by ${answered || "nobody"}; ${p.picks_on_evacuated} new requests on ${evacuation.provider}, ${p.picks_elsewhere.toLocaleString("en")} elsewhere; revision ${p.revision} on ${plural(p.workers, "worker")}`;
}

function evacuationItem(evacuation) {
  const proof = evacuation.proof;
  return h("div", { class: "item", "data-key": evacuation.id },
    h("div", { class: "row" }, h("strong", {}, `evacuation of ${evacuation.provider}`), badge(proof && !proof.holds ? "down" : proof ? "up" : "moving", evacuation.phase),
      h("span", { class: "sub" }, `${evacuation.actor}${evacuation.reason ? ` · ${evacuation.reason}` : ""}`)),
    proof ? h("div", {}, proofText(evacuation), " ", h("a", { href: `/v1/evacuations/${encodeURIComponent(evacuation.id)}/evidence` }, "evidence")) : null,
    h("div", { class: "sub" }, `${plural(evacuation.running, "request")} still running there · ends in ${span(Date.parse(evacuation.expires_at) - serverNow())} with a gated restore`),
    evacuation.note ? h("div", {}, evacuation.note) : null,
    cli(`bascule restore ${evacuation.provider}`));
}

function moving(status) {
  const running = status.shifts.filter((s) => !s.ended);
  const ended = status.shifts.filter((s) => s.ended).slice(0, 2);
  const items = [...running.map(shiftItem), ...status.evacuations.map(evacuationItem), ...ended.map(shiftItem)];
  return items.length ? items : [h("div", { class: "quiet" }, "Nothing: no shift, no evacuation.")];
}

function providers(status) {
  const rows = status.providers.map((p) => {
    const off = p.admin_state !== "ready";
    const shares = p.backends.map((b) => `${b.service} ${+b.effective.toFixed(2)} %`).join(" · ");
    const copy = cli(p.evacuation ? `bascule restore ${p.name}` : `bascule evacuate ${p.name}`);
    return [h("strong", {}, p.name), badge(off ? "off" : p.observed_state, off ? p.admin_state : p.observed_state), h("span", { class: "sub" }, shares), copy.children[1], copy];
  });
  // The command itself stays out of the narrow column; the button copies it and its title says it.
  const cells = rows.map(([name, word, shares, button, whole]) => [name, word, shares,
    h("button", { ...button.attributes, title: whole.children[0].children[0] }, "copy as CLI")]);
  return [h("div", { class: "providers" }, cells)];
}

function changes() {
  return state.events.map((event) => h("li", { "data-key": String(event.seq) },
    h("time", { datetime: event.at, title: event.at }, event.at ? clock(event.at) : ""), h("span", {}, event.message)));
}

// ---- drawing ----

function draw() {
  const status = state.status;
  const silent = Date.now() - state.received;
  const stale = state.received !== 0 && silent > STALE_MS;
  document.body.classList.toggle("stale", stale || !status);
  lay(byId("alerts"), alerts(status, stale ? clock(state.received) : null));
  if (!status) {
    lay(byId("overall"), [badge("unknown", "UNKNOWN"), "nothing has answered yet"]);
    return;
  }
  lay(byId("overall"), stale ? [badge("unknown", "UNKNOWN"), "no answer"] : overall(status));
  lay(byId("about"), about(status));
  lay(byId("services"), status.services.map(serviceCard));
  lay(byId("moving-body"), moving(status));
  lay(byId("providers-body"), providers(status));
  document.title = stale ? "? stale · bascule" : `${status.state === "up" ? "" : "! "}${STATES[status.state]} · bascule`;
}

async function explain(service, backend) {
  const path = `/v1/services/${encodeURIComponent(service)}/explain/${encodeURIComponent(backend)}`;
  const answer = await fetch(path).then((response) => response.json()).catch(() => null);
  byId("explain-title").textContent = `Why ${backend} of ${service} has its share`;
  byId("explain-text").textContent = answer ? (answer.text || [answer.detail]).join("\n") : "no answer";
  byId("explain").showModal();
}

// ---- data ----

async function poll() {
  try {
    const response = await fetch("/v1/status", { signal: AbortSignal.timeout(STALE_MS) });
    if (response.ok) {
      state.status = await response.json();
      state.received = Date.now();
    }
  } catch {
    // Not reached: what that means is drawn from how long it lasts.
  }
  draw();
  setTimeout(poll, document.hidden ? POLL_MS * 5 : POLL_MS);
}

function add(event) {
  state.events = [event, ...state.events.filter((e) => e.seq !== event.seq)].sort((a, b) => b.seq - a.seq).slice(0, EVENTS_SHOWN);
  lay(byId("changes-body"), changes());
}

function follow() {
  const last = state.events.length ? `since=${state.events[0].seq}` : `last=${EVENTS_SHOWN}`;
  const source = new EventSource(`/v1/events?${last}`);
  source.onmessage = (frame) => add(JSON.parse(frame.data));
  source.addEventListener("gap", (frame) => {
    const gap = JSON.parse(frame.data);
    add({ seq: gap.next - 0.5, at: "", message: "events before this were missed" });
  });
  source.onerror = () => {
    // The browser comes back by itself unless it was refused.
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, STALE_MS);
  };
}

fetch("/v1/whoami").then((response) => response.json()).then((who) => { state.who = who; }).catch(() => {});
draw();
poll();
follow();
setInterval(draw, 1000);
