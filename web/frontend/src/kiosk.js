/** The waiting-room screen: `<guide-kiosk config='{…}'>`. Topics to touch, and no trace for the next person. */
import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { GuideChat } from "./chat.js";
import { icon, mark } from "./icons.js";
import { keyboard } from "./keyboard.js";

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const DELETE_TRIES = 4;

export class GuideKiosk extends GuideChat {
  static properties = {
    view: { state: true },
    typing: { state: true },
    keys: { state: true },
    left: { state: true },
    wiping: { state: true },
    pin: { state: true },
    staff: { state: true },
  };

  constructor() {
    super();
    /** `home`, `talk`, or the id of a topic group. */
    this.view = "home";
    this.typing = false;
    this.keys = true;
    /** Seconds until the screen clears itself, while the warning is open; else null. */
    this.left = null;
    this.wiping = false;
    this.pin = "";
    /** `""`, `wrong` or `out`. */
    this.staff = "";
  }

  connectedCallback() {
    super.connectedCallback();
    const on = (target, name, handler, more = {}) => target.addEventListener(name, handler, { signal: this.listeners.signal, ...more });
    for (const name of ["pointerdown", "keydown", "wheel", "touchmove"]) on(document, name, () => this.#active(), { passive: true, capture: true });
    on(document, "contextmenu", (event) => event.preventDefault());
    on(document, "dragstart", (event) => event.preventDefault());
    on(window, "pagehide", () => this.conversation && this.api.remove(this.conversation).catch(() => {}));
    on(window, "pageshow", (event) => event.persisted && location.reload());
    this.#active();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.timer);
    clearInterval(this.counter);
  }

  // -- idle ----------------------------------------------------------------------------------------------------------

  /** Somebody is there. While the warning is open only its buttons count: a person must say that they want to go on. */
  #active() {
    if (this.left !== null || this.wiping) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#idle(), this.config.idle * 1000);
  }

  get touched() {
    return this.entries.length > 0 || this.draft.trim() !== "" || this.busy;
  }

  async #idle() {
    if (!this.touched) {
      // Nothing of anybody's is on the screen: it goes back to its first page without asking.
      if (this.view !== "home" || this.size > 0 || this.typing || new URLSearchParams(location.search).has("lang")) this.wipe();
      else this.#active();
      return;
    }
    const end = Date.now() + this.config.warning * 1000;
    this.left = this.config.warning;
    for (const open of this.querySelectorAll("dialog[open]")) open.close();
    await this.updateComplete;
    this.querySelector("dialog.idle-dialog").showModal();
    this.querySelector("dialog.idle-dialog .primary").focus();
    this.counter = setInterval(() => {
      this.left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      if (this.left === 0) this.wipe();
    }, 1000);
  }

  #stay() {
    clearInterval(this.counter);
    this.left = null;
    this.querySelector("dialog.idle-dialog")?.close();
    this.#active();
  }

  /**
   * Everything goes: here, on the server, and with a new document also the box's undo history.
   *
   * @param {string} to The page that comes next.
   */
  async wipe(to = location.pathname) {
    if (this.wiping) return;
    clearTimeout(this.timer);
    clearInterval(this.counter);
    const id = this.conversation;
    this.wiping = true; // nothing of the conversation is drawn from here on
    this.conversation = null;
    this.entries = [];
    this.draft = "";
    this.said = null;
    await this.updateComplete;
    for (let i = 0; id && i < DELETE_TRIES; i++) {
      try {
        await this.api.remove(id);
        break;
      } catch {
        await wait(1500); // the server deletes it by itself when it expires; this is to have it gone now
      }
    }
    location.replace(to);
  }

  // -- staff ---------------------------------------------------------------------------------------------------------

  async #leave(event) {
    event.preventDefault();
    let good = false;
    try {
      const answer = await fetch(this.config.urls.exit, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ pin: this.pin }),
        credentials: "omit",
      });
      good = answer.status === 204;
    } catch {
      /* as good as a wrong one: nobody leaves */
    }
    this.pin = "";
    this.staff = good ? "out" : "wrong";
    if (!good) return;
    const id = this.conversation;
    this.entries = [];
    this.conversation = null;
    if (id) await this.api.remove(id).catch(() => {});
    window.close(); // allowed: the kiosk's window has one page in its history
  }

  // -- moves ---------------------------------------------------------------------------------------------------------

  async send(text, fromButton = false) {
    if (!text.trim() || this.busy) return;
    this.view = "talk";
    this.typing = false;
    await this.updateComplete;
    await super.send(text, fromButton);
    if (this.problem) this.typing = true; // the words are still in the box
  }

  async #go(view) {
    this.view = view;
    await this.updateComplete;
    this.querySelector(".log").scrollTo(0, 0);
    this.querySelector(".log h2")?.focus({ preventScroll: true });
  }

  async #type() {
    this.typing = !this.typing;
    await this.updateComplete;
    if (this.typing) this.focusQuestion();
  }

  onKey(event) {
    super.onKey(event);
    // The usual ways to another page; those a page cannot hold back are turned off by the start script.
    if ((event.ctrlKey || event.metaKey || event.altKey) && !["a", "c", "v", "x", "z"].includes(event.key.toLowerCase())) event.preventDefault();
    if (event.key.startsWith("F") && event.key.length > 1) event.preventDefault();
  }

  // -- parts ---------------------------------------------------------------------------------------------------------

  header() {
    const { t, config } = this;
    const { clinic } = config;
    return html`<header class="bar">
      <div class="brand">
        ${clinic.logo ? html`<img class="logo" src=${clinic.logo} alt="" />` : mark}
        <div><h1>${t("title")}</h1>${clinic.name ? html`<p class="clinic-name">${clinic.name}</p>` : nothing}</div>
      </div>
      <div class="tools">
        <span class="sizes" role="group" aria-label=${t("text_size")}>
          <button type="button" class="square" aria-label=${t("smaller")} aria-disabled=${this.size === 0} @click=${() => this.actions.resize(-1)}><span class="small-a">A</span></button>
          <button type="button" class="square" aria-label=${t("larger")} aria-disabled=${this.size === this.actions.sizes - 1} @click=${() => this.actions.resize(1)}><span class="large-a">A</span></button>
          <span class="unseen" role="status">${t("size_now", { n: this.size + 1 })}</span>
        </span>
        ${config.languages.map((l) => html`<button type="button" lang=${l.code} @click=${() => this.wipe(l.href)}>${icon("globe")}${l.name}</button>`)}
        <button class="emergency" type="button" @click=${() => this.actions.show("emergency-dialog")}>${icon("phone")}<span>${t("emergency")}</span></button>
      </div>
    </header>`;
  }

  #home() {
    const { t, config } = this;
    return html`<section class="home">
      <h2 tabindex="-1">${t("kiosk_heading")}</h2>
      <p class="home-lead">${t("kiosk_lead")}</p>
      <div class="tiles">
        ${config.groups.map((g) => html`<button class="tile" type="button" @click=${() => this.#go(g.id)}>${icon(g.id)}<span>${t(`group_${g.id}`)}</span></button>`)}
      </div>
      <ul class="facts small">
        <li>${icon("book")}<p>${t("intro_is")}</p></li>
        <li>${icon("hand")}<p>${t("intro_not")}</p></li>
        <li>${icon("lock")}<p>${t("intro_private_kiosk")}</p></li>
      </ul>
      ${config.greeting.notices.map((n) => html`<p class="notice ${n.kind}">${icon("note")}<span>${n.text}</span></p>`)}
    </section>`;
  }

  #topic(group) {
    const { t } = this;
    return html`<section class="topic">
      <button class="quiet" type="button" @click=${() => this.#go("home")}>${icon("back")}${t("kiosk_topics")}</button>
      <h2 tabindex="-1">${icon(group.id)} ${t(`group_${group.id}`)}</h2>
      <p class="next-label">${t("kiosk_pick")}</p>
      <ul class="choices">
        ${group.questions.map((q) => html`<li><button class="choice" type="button" @click=${() => this.send(q, true)}><span>${q}</span>${icon("arrow")}</button></li>`)}
      </ul>
    </section>`;
  }

  body() {
    if (this.wiping) return html`<p class="looking" role="status">${this.t("wiping")}</p>`;
    if (this.view === "talk") {
      const entries = repeat(this.entries, (e) => e.key, (e, i) => this.entry(e, i));
      return html`<h2 class="unseen" tabindex="-1">${this.t("conversation")}</h2>${entries}${this.status()}`;
    }
    const group = this.config.groups.find((g) => g.id === this.view);
    return html`${group ? this.#topic(group) : this.#home()}${this.status()}`;
  }

  composer() {
    const { t, config } = this;
    if (this.wiping) return nothing;
    const worth = this.entries.some((e) => e.role === "guide");
    return html`<div class="dock">
      ${this.typing
        ? html`${super.composer()}${this.keys ? keyboard(this.about, () => this.querySelector(".composer textarea"), () => this.send(this.draft)) : nothing}`
        : nothing}
      <div class="dock-row">
        <button class=${this.typing ? "" : "primary"} type="button" aria-expanded=${this.typing} @click=${() => this.#type()}>
          ${icon(this.typing ? "close" : "message")}${t(this.typing ? "close" : "kiosk_type")}
        </button>
        ${this.typing
          ? html`<button type="button" aria-pressed=${this.keys} @click=${() => (this.keys = !this.keys)}>${icon("keyboard")}${t(this.keys ? "kiosk_keyboard_hide" : "kiosk_keyboard_show")}</button>`
          : html`${this.view === "home" ? nothing : html`<button type="button" @click=${() => this.#go("home")}>${icon("menu")}${t("kiosk_topics")}</button>`}
            ${this.view !== "talk" && this.entries.length ? html`<button type="button" @click=${() => this.#go("talk")}>${icon("back")}${t("conversation")}</button>` : nothing}
            ${worth && config.printer ? html`<button type="button" @click=${() => this.actions.show("print-dialog")}>${icon("print")}${t("print_kiosk")}</button>` : nothing}
            ${config.pin && this.view === "home" ? html`<button type="button" class="quiet staff" @click=${() => this.actions.show("staff-dialog")}>${t("staff")}</button>` : nothing}`}
        ${this.touched ? html`<button type="button" class="finish" @click=${() => this.wipe()}>${icon("check")}${t("kiosk_finish")}</button>` : nothing}
      </div>
    </div>`;
  }

  extra() {
    const { t } = this;
    const idle = html`<dialog class="window idle-dialog" role="alertdialog" aria-labelledby="idle-title" aria-describedby="idle-text"
      @cancel=${(e) => { e.preventDefault(); this.#stay(); }}>
      <div>
        <h2 id="idle-title">${t("idle_heading")}</h2>
        <p id="idle-text">${t("idle_text")}</p>
        <p class="countdown" aria-hidden="true"><strong>${this.left ?? ""}</strong> ${t("idle_seconds")}</p>
        <p class="row">
          <button class="primary" type="button" @click=${() => this.#stay()}>${t("idle_more")}</button>
          <button type="button" @click=${() => this.wipe()}>${t("idle_done")}</button>
        </p>
      </div>
    </dialog>`;
    return html`${idle}${this.config.pin ? this.#staffDialog() : nothing}`;
  }

  #staffDialog() {
    const { t } = this;
    const digit = (d) => html`<button type="button" @click=${() => (this.pin = (this.pin + d).slice(0, 12))}>${d}</button>`;
    return html`<dialog class="window staff-dialog" aria-labelledby="staff-title" @close=${() => { this.pin = ""; this.staff = ""; }}>
      <form @submit=${this.#leave}>
        <h2 id="staff-title">${t("staff_heading")}</h2>
        <p>${t(this.staff === "out" ? "staff_out" : "staff_text")}</p>
        <label class="over" for="pin">${t("staff_pin")}</label>
        <input id="pin" type="password" inputmode="none" autocomplete="off" maxlength="12" .value=${this.pin} @input=${(e) => (this.pin = e.target.value)} />
        ${this.staff === "wrong" ? html`<p class="failed" role="alert">${t("staff_wrong")}</p>` : nothing}
        <div class="pad">
          ${"123456789".split("").map(digit)}
          <button type="button" @click=${() => (this.pin = this.pin.slice(0, -1))}>${t("key_delete")}</button>${digit("0")}
          <button class="primary" type="submit">${t("staff_leave")}</button>
        </div>
        <p class="row"><button type="button" @click=${(e) => e.target.closest("dialog").close()}>${icon("close")}${t("close")}</button></p>
      </form>
    </dialog>`;
  }
}
