/** The chat: `<guide-chat config='{…}'>` on a page of ours. What the server puts inside the element is what people without JavaScript see. */
import { LitElement, html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { Api, Problem } from "./api.js";
import { contactList } from "./contacts.js";
import { clearDialog, emergencyDialog, printDialog } from "./dialogs.js";
import { icon, mark } from "./icons.js";
import { intro } from "./intro.js";
import { Memory } from "./memory.js";
import { menu } from "./menu.js";
import { sheet } from "./sheet.js";
import { newId, wordsFrom } from "./text.js";
import "./reply.js";

const LONGEST = 2000;
const SIZES = 5;
const BEFORE_BUSY = 300; // ms: a quick answer needs no "looking for an answer"
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export class GuideChat extends LitElement {
  static properties = {
    config: { type: Object },
    entries: { state: true },
    busy: { state: true },
    waiting: { state: true },
    loading: { state: true },
    problem: { state: true },
    note: { state: true },
    offline: { state: true },
    draft: { state: true },
    size: { state: true },
    said: { state: true },
    printing: { state: true },
  };

  constructor() {
    super();
    /** @type {{key: string, role: "patient" | "guide", text?: string, reply?: object}[]} */
    this.entries = [];
    this.busy = false;
    this.waiting = false;
    this.loading = false;
    /** @type {Problem | null} */
    this.problem = null;
    this.note = "";
    this.offline = !navigator.onLine;
    this.draft = "";
    this.size = 0;
    /** What a screen reader is told once: `{text, urgent}`. */
    this.said = null;
    /** Whether the patient's questions are printed too. */
    this.printing = false;
    this.listeners = new AbortController();
  }

  createRenderRoot() {
    this.replaceChildren(); // what people without JavaScript see
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    const { config } = this;
    this.kiosk = config.mode === "kiosk";
    this.t = wordsFrom(config.text);
    this.api = new Api(config.api);
    this.memory = new Memory(this.kiosk);
    this.about = { ...config, t: this.t, kiosk: this.kiosk, feedback: (values) => this.api.feedback(this.conversation, values) };
    this.#resize(Number(this.memory.get("size")) || 0);
    const on = (target, name, handler) => target.addEventListener(name, handler, { signal: this.listeners.signal });
    on(window, "offline", () => this.#line(true));
    on(window, "online", () => this.#line(false));
    on(document, "keydown", (event) => this.onKey(event));
    if (config.mode === "frame") on(window, "message", (event) => this.#onMessage(event));
    this.addEventListener("guide-ask", (event) => this.send(event.detail, true));
    this.#restore();
  }

  firstUpdated() {
    if (this.config.mode === "frame") this.#tellSite("ready");
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.listeners.abort();
  }

  // -- the conversation ----------------------------------------------------------------------------------------------

  /** Each language has a conversation of its own: the server answers in the language a conversation began in. */
  get #slot() {
    return `conversation.${this.config.language}`;
  }

  get conversation() {
    return this.memory.get(this.#slot);
  }

  set conversation(id) {
    if (id) this.memory.set(this.#slot, id);
    else this.memory.remove(this.#slot);
  }

  async #restore() {
    const id = this.conversation;
    if (!id) return;
    this.loading = true;
    this.problem = null;
    try {
      const { messages } = await this.api.read(id);
      this.entries = messages.map((m) => ({ key: newId(), role: m.role, text: m.text, reply: m.reply })).filter((e, i) => i > 0 || e.role === "patient");
      this.loading = false;
      await this.updateComplete;
      this.#showNewest(true);
    } catch (error) {
      if (error.kind === "gone") {
        this.conversation = null;
        this.note = this.t("expired");
      } else {
        this.problem = new Problem("restore", error.document);
      }
    } finally {
      this.loading = false;
    }
  }

  async #begin() {
    const { language, region } = this.config;
    const { conversation_id: id } = await this.api.create({ language, region, channel: this.kiosk ? "kiosk" : "web" });
    if (this.wiping) {
      this.api.remove(id).catch(() => {});
      throw new Problem("down");
    }
    this.conversation = id;
    return id;
  }

  /** Sends to the conversation, to a new one where the old one has expired. */
  async #deliver(text, messageId) {
    const id = this.conversation ?? (await this.#begin());
    try {
      return await this.api.send(id, text, messageId);
    } catch (error) {
      if (error.kind !== "gone") throw error;
      this.conversation = null;
      this.entries = this.entries.slice(-1);
      this.note = this.t("expired");
      return this.api.send(await this.#begin(), text, messageId);
    }
  }

  /**
   * One turn.
   *
   * @param {string} text What is asked; longer than allowed goes as well, because the server looks for danger in it before it refuses.
   * @param {boolean} fromButton Whether a button was chosen, which is gone when the answer comes.
   */
  async send(text, fromButton = false) {
    const words = text.trim();
    if (!words || this.busy || this.loading) return;
    this.busy = true;
    this.problem = null;
    this.note = "";
    if (!fromButton) this.#setDraft("");
    // The same message sent again keeps its number: the server then adds nothing twice.
    const messageId = this.unsent?.text === words ? this.unsent.id : newId();
    const entry = { key: newId(), role: "patient", text: words };
    this.entries = [...this.entries, entry];
    const timer = setTimeout(() => (this.waiting = true), BEFORE_BUSY);
    await this.updateComplete;
    this.#scrollTo(this.querySelector(`[data-key="${entry.key}"]`));
    try {
      if (!navigator.onLine) throw new Problem("offline");
      const { reply } = await this.#deliver(words, messageId);
      this.unsent = null;
      this.#answered(reply, fromButton);
    } catch (error) {
      this.unsent = { text: words, id: messageId };
      this.entries = this.entries.filter((e) => e !== entry);
      if (!this.draft) this.#setDraft(words);
      this.problem = error instanceof Problem ? error : new Problem("down");
      if (this.problem.kind === "offline") this.offline = !navigator.onLine;
    } finally {
      clearTimeout(timer);
      this.busy = false;
      this.waiting = false;
    }
  }

  async #answered(reply, fromButton) {
    this.offline = false;
    this.entries = [...this.entries, { key: reply.reply_id, role: "guide", reply }];
    this.#announce(reply);
    await this.updateComplete;
    const shown = [...this.querySelectorAll("guide-reply")].at(-1);
    await shown?.updateComplete;
    if (fromButton || this.kiosk) shown?.focusStart();
    else if (matchMedia("(pointer: coarse)").matches) this.querySelector(".composer textarea")?.blur(); // fold the on-screen keyboard away
    this.#showNewest(reply.kind === "urgent"); // help is there at once, without a movement to wait for
  }

  /** Readers hear an answer once, as plain words; opening a source in it later is not announced again. */
  #announce(reply) {
    const { t } = this;
    const parts = reply.statements.map((s) => `${s.text} (${t(`certainty_${s.certainty}`)}.)`);
    const d = reply.disagreement;
    if (d) parts.push(`${t("disagree")}. ${d.summary}`, ...d.positions.map((p) => p.claim), d.why);
    const ways = reply.contacts.map((c) => `${c.name}: ${c.ways.map((w) => w.say).join(", ")}.`);
    const text = [...ways, reply.lead, ...parts, ...reply.notices.map((n) => n.text), reply.clinician].filter(Boolean).join(" ");
    const said = { text: reply.kind === "urgent" ? text : `${t("answered")} ${text}`, urgent: reply.kind === "urgent" };
    this.said = said;
    setTimeout(() => this.said === said && (this.said = null), 15_000);
  }

  async clear() {
    this.problem = null;
    try {
      // also the one in another language: whoever clears expects nothing to be left
      for (const code of [this.config.language, ...this.config.languages.map((l) => l.code)]) {
        const slot = `conversation.${code}`;
        const id = this.memory.get(slot);
        if (id) await this.api.remove(id);
        this.memory.remove(slot);
      }
    } catch {
      this.note = this.t("clear_failed");
      return;
    }
    this.entries = [];
    this.unsent = null;
    this.said = null;
    this.#setDraft("");
    this.note = this.t("cleared");
    await this.updateComplete;
    this.querySelector(".log")?.scrollTo(0, 0);
    this.focusQuestion();
  }

  // -- the screen ----------------------------------------------------------------------------------------------------

  #line(offline) {
    this.offline = offline;
    this.note = offline ? "" : this.t("online");
    if (!offline && this.problem?.kind === "restore") this.#restore();
  }

  #onMessage(event) {
    if (event.source === window.parent && event.data === "ketamine-guide:opened") this.focusQuestion();
  }

  onKey(event) {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    const open = this.querySelector("details.menu[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    } else if (this.config.mode === "frame") this.closeFrame();
  }

  /** Tells the site around us that the chat is there, or to close its window; no word of the conversation goes with it. */
  #tellSite(what) {
    window.parent.postMessage(`ketamine-guide:${what}`, "*");
  }

  closeFrame() {
    this.#tellSite("close");
  }

  focusQuestion() {
    this.querySelector(".composer textarea")?.focus();
  }

  #scrollTo(element) {
    element?.scrollIntoView({ block: "start", behavior: calm() ? "auto" : "smooth" });
  }

  /** Brings the newest question to the top, so that its answer is read from its start. */
  #showNewest(atOnce) {
    const target = [...this.querySelectorAll(".asked")].at(-1) ?? [...this.querySelectorAll("guide-reply")].at(-1);
    target?.scrollIntoView({ block: "start", behavior: atOnce || calm() ? "auto" : "smooth" });
  }

  #resize(size) {
    this.size = Math.max(0, Math.min(SIZES - 1, size));
    document.documentElement.dataset.size = String(this.size);
    this.memory.set("size", String(this.size));
  }

  async print(withQuestions) {
    this.printing = withQuestions;
    await this.updateComplete;
    // The sheet is always there, unseen: while a page is being printed its scripts may not draw any more.
    await Promise.allSettled([...this.querySelectorAll(".sheet img")].map((i) => i.decode()));
    window.print();
    this.printing = false;
  }

  #setDraft(text) {
    this.draft = text;
    const box = this.querySelector(".composer textarea");
    if (box && box.value !== text) box.value = text;
  }

  #onInput(event) {
    this.draft = event.target.value;
  }

  #onBoxKey(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.send(this.draft);
  }

  #onSubmit(event) {
    event.preventDefault();
    this.send(this.draft);
  }

  /** What the menu and the dialogs may do. */
  get actions() {
    return {
      size: this.size,
      sizes: SIZES,
      resize: (by) => this.#resize(this.size + by),
      show: (name) => this.querySelector(`dialog.${name}`)?.showModal(),
      clear: () => this.clear(),
      print: (withQuestions) => this.print(withQuestions),
      empty: this.entries.length === 0,
    };
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
        <button class="emergency" type="button" @click=${() => this.actions.show("emergency-dialog")}>${icon("phone")}<span>${t("emergency")}</span></button>
        ${menu(this.about, this.actions)}
        ${config.mode === "frame"
          ? html`<button class="square" type="button" aria-label=${t("close_chat")} @click=${() => this.closeFrame()}>${icon("close")}</button>`
          : nothing}
      </div>
    </header>`;
  }

  intro() {
    return intro(this.about, (text) => this.send(text, true), this.entries.length > 0);
  }

  entry(entry, i) {
    if (entry.role === "patient") {
      return html`<div class="asked" data-key=${entry.key}><p><span class="unseen">${this.t("you_asked")}: </span>${entry.text}</p></div>`;
    }
    return html`<guide-reply .reply=${entry.reply} .about=${this.about} ?newest=${i === this.entries.length - 1} ?locked=${this.busy}></guide-reply>`;
  }

  /** What stands between the header and the box. */
  body() {
    return html`${this.intro()} ${repeat(this.entries, (e) => e.key, (e, i) => this.entry(e, i))} ${this.status()}`;
  }

  #trouble() {
    const { t, problem, kiosk } = this;
    if (!problem) return nothing;
    const again = problem.kind === "restore" ? () => this.#restore() : () => this.send(this.draft);
    return html`<div class="trouble" role="alert">
      <p>${t(`problem_${problem.kind === "gone" ? "down" : problem.kind}`, { seconds: problem.seconds })}</p>
      ${problem.document.contacts?.length ? contactList(problem.document.contacts, t, kiosk) : nothing}
      ${problem.kind === "long" ? nothing : html`<button type="button" @click=${again}>${t("try_again")}</button>`}
    </div>`;
  }

  composer() {
    const { t } = this;
    const left = LONGEST - this.draft.length;
    return html`<form class="composer" @submit=${this.#onSubmit} autocomplete="off">
      ${this.#trouble()}
      <label class="over" for="question">${t("your_question")}</label>
      <div class="box">
        <textarea id="question" rows="1" autocomplete="off" autocapitalize="sentences" ?data-kiosk=${this.kiosk} spellcheck=${this.kiosk ? "false" : nothing}
          autocorrect=${this.kiosk ? "off" : nothing} placeholder=${t("placeholder")} enterkeyhint="send" aria-describedby="hint" .value=${this.draft}
          @input=${this.#onInput} @keydown=${this.#onBoxKey}></textarea>
        <button class="primary send" type="submit" aria-disabled=${this.busy || this.loading}>${t("send")}</button>
      </div>
      <p class="hint" id="hint"><span class="keys">${t("enter_hint")}</span>${
        left < 200 ? html`<span role="status" class=${left < 0 ? "over-limit" : ""}>${left < 0 ? t("letters_over", { n: -left }) : t("letters_left", { n: left })}</span>` : nothing
      }</p>
    </form>`;
  }

  status() {
    const { t } = this;
    const busy = this.loading ? t("loading") : this.waiting ? t("looking") : "";
    return html`<div class="status" role="status">${busy ? html`<p class="looking"><span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>${busy}</p>` : nothing}${
      this.offline ? html`<p class="line">${t("offline")}</p>` : this.note ? html`<p class="line">${this.note}</p>` : nothing
    }</div>`;
  }

  render() {
    const { t } = this;
    return html`<div class="guide ${this.config.mode}">
        <a class="skip" href="#conversation" @click=${(e) => { e.preventDefault(); this.querySelector(".log").focus(); }}>${t("skip")}</a>
        ${this.header()}
        <main class="log" id="conversation" tabindex="0" aria-label=${t("conversation")} aria-busy=${this.busy}>
          <div class="column">
            ${this.body()}
          </div>
        </main>
        ${this.composer()}
        <div class="unseen" role="log" aria-live="polite">${this.said && !this.said.urgent ? this.said.text : nothing}</div>
        <div class="unseen" role="alert">${this.said?.urgent ? this.said.text : nothing}</div>
      </div>
      ${emergencyDialog(this.about)} ${clearDialog(this.about, this.actions)} ${printDialog(this.about, this.actions)} ${this.extra()}
      ${this.entries.length ? sheet(this.entries, this.about, this.printing) : nothing}`;
  }

  /** More of a subclass's own. */
  extra() {
    return nothing;
  }
}
