/** One reply of the guide, as a patient reads it. */
import { LitElement, html, nothing } from "lit";
import { contactList } from "./contacts.js";
import { markTerms } from "./glossary.js";
import { gauge, icon } from "./icons.js";
import { sourceCard } from "./source.js";
import "./feedback.js";

const FIRST_CONTACTS = 2;

/** Statements that have no text in the reply's language stand in English; a notice says so. */
const textLanguage = (reply) => (reply.notices.some((n) => n.kind === "language") ? "en" : reply.language);

export class GuideReply extends LitElement {
  static properties = {
    reply: { attribute: false },
    about: { attribute: false },
    newest: { type: Boolean },
    locked: { type: Boolean },
    open: { state: true },
  };

  constructor() {
    super();
    /** What is open in place: `{place, kind: "source" | "term" | "sure", key, by, opener}`, or null. */
    this.open = null;
  }

  createRenderRoot() {
    return this;
  }

  /** Moves the focus here after the patient chose a button that is gone now. */
  focusStart() {
    this.querySelector("article")?.focus({ preventScroll: true });
  }

  #ask(text) {
    this.dispatchEvent(new CustomEvent("guide-ask", { detail: text, bubbles: true }));
  }

  /** Opens something in place, or closes it; Close gives the focus back to the button that opened it. */
  #toggle(event, place, kind, key, by = null) {
    this.open = this.#isOpen(place, kind, key) ? null : { place, kind, key, by, opener: event.currentTarget };
  }

  #isOpen(place, kind, key) {
    return this.open?.place === place && this.open.kind === kind && this.open.key === key;
  }

  // -- parts ---------------------------------------------------------------------------------------------------------

  #text(pieces, place) {
    const { t } = this.about;
    return pieces.map((piece) =>
      typeof piece === "string"
        ? piece
        : html`<span class="held"><button class="term" type="button" aria-expanded=${this.#isOpen(place, "term", piece.term.term)} aria-controls=${this.#panelId(place)}
            title=${t("explain_word", { term: piece.shown })} @click=${(event) => this.#toggle(event, place, "term", piece.term.term)}>${piece.shown}</button>${piece.tail}</span>`,
    );
  }

  #panelId(place) {
    return `panel-${this.reply.reply_id}-${place}`;
  }

  /** The word for how sure a statement is; touched, it says what that word means and who rated it. */
  #sure({ certainty, certainty_by: by }, place) {
    const { t } = this.about;
    const rated = certainty !== "not_graded";
    return html`<button class="sure ${rated ? "" : "unrated"}" type="button" aria-expanded=${this.#isOpen(place, "sure", certainty)} aria-controls=${this.#panelId(place)}
      @click=${(event) => this.#toggle(event, place, "sure", certainty, by)}>${rated ? gauge(certainty) : nothing}<span><span class="unseen">${t("certainty_label")}: </span><span class="sure-word">${t(
        `certainty_${certainty}`,
      )}</span></span></button>`;
  }

  #chips(numbers, place) {
    const { t } = this.about;
    if (!numbers.length) return nothing;
    return html`<span class="chips"><span class="chips-label" aria-hidden="true">${t(numbers.length > 1 ? "sources" : "source")}</span>${numbers.map((n) => {
      const source = this.reply.citations.find((c) => c.number === n);
      return html`<button class="chip" type="button" aria-label=${t("source_n", { n, title: source?.title ?? "" })} aria-expanded=${this.#isOpen(place, "source", n)}
        aria-controls=${this.#panelId(place)} @click=${(event) => this.#toggle(event, place, "source", n)}><span>${n}</span></button>`;
    })}</span>`;
  }

  #panel(place) {
    const { t } = this.about;
    const open = this.open?.place === place ? this.open : null;
    let inside = nothing;
    if (open?.kind === "source") {
      const source = this.reply.citations.find((c) => c.number === open.key);
      if (source) inside = sourceCard(source, this.about);
    } else if (open?.kind === "term") {
      const entry = this.reply.glossary.find((g) => g.term === open.key);
      if (entry) inside = html`<p class="term-plain"><strong>${entry.term}</strong> ${entry.plain}</p>`;
    } else if (open?.kind === "sure") {
      inside = html`<p class="sure-plain">${this.reply.legend[open.key] ?? ""}</p>${open.by ? html`<p class="by">${t("rated_by", { who: open.by })}</p>` : nothing}`;
    }
    return html`<div class="panel ${open?.kind ?? ""}" id=${this.#panelId(place)} ?hidden=${!open}>${inside}${
      open
        ? html`<button class="quiet small" type="button" @click=${() => this.#close()}>${icon("close")}${t("close_source")}</button>`
        : nothing
    }</div>`;
  }

  async #close() {
    const { opener } = this.open;
    this.open = null;
    await this.updateComplete;
    opener.focus();
  }

  #statement(statement, pieces, i) {
    const place = `s${i}`;
    return html`<section class="statement" data-statement=${statement.id}>
      <p class="said" lang=${textLanguage(this.reply)}>${this.#text(pieces, place)}</p>
      <div class="meta">${this.#sure(statement, place)}${this.#chips(statement.citations, place)}</div>
      ${this.#panel(place)}
    </section>`;
  }

  #disagreement(pieces) {
    const { t } = this.about;
    const d = this.reply.disagreement;
    return html`<section class="disagreement" aria-label=${t("disagree")}>
      <h3>${t("disagree")}</h3>
      <p>${d.summary}</p>
      <div class="sides ${d.positions.length > 2 ? "many" : ""}">
        ${d.positions.map(
          (p, i) => html`<div class="side">
            <h4>${d.positions.length > 2 ? t("side_n", { n: i + 1 }) : t(i ? "side_two" : "side_one")}</h4>
            <p class="said">${this.#text(pieces[i], `d${i}`)}</p>
            <div class="meta">${this.#sure(p, `d${i}`)}${this.#chips(p.citations, `d${i}`)}</div>
            ${this.#panel(`d${i}`)}
          </div>`,
        )}
      </div>
      <p class="why"><strong>${t("why_differ")}:</strong> ${d.why}</p>
    </section>`;
  }

  #notice(notice) {
    const { t, kiosk } = this.about;
    return html`<div class="notice ${notice.kind}">${icon("note")}<div><p>${notice.text}</p>${
      notice.contacts.length ? contactList(notice.contacts, t, kiosk) : nothing
    }</div></div>`;
  }

  #clinician() {
    const { t, clinic, kiosk } = this.about;
    const { kind, clinician } = this.reply;
    if (!clinician || kind === "smalltalk" || kind === "urgent") return nothing;
    return html`<div class="clinician">${icon("clinician")}<div>
      <p>${clinician}</p>
      ${clinic.phone || clinic.booking
        ? html`<p class="clinic-ways">
            ${clinic.phone && !kiosk ? html`<a class="button" href="tel:${clinic.phone.dial}">${icon("phone")}<span>${t("call_number", { number: clinic.phone.say })}</span></a>` : nothing}
            ${clinic.booking && !kiosk
              ? html`<a class="button" href=${clinic.booking} target="_blank" rel="noopener noreferrer">${icon("calendar")}<span>${t("book")} <span class="unseen">(${t("new_tab")})</span></span></a>`
              : nothing}
            <span class="hours"><strong>${clinic.name}</strong>${clinic.phone && kiosk ? `: ${clinic.phone.say}` : nothing}${clinic.hours ? `, ${clinic.hours}` : nothing}</span>
          </p>`
        : nothing}
    </div></div>`;
  }

  #legend() {
    const { t } = this.about;
    const entries = Object.entries(this.reply.legend);
    if (!entries.length) return nothing;
    return html`<details class="fold"><summary>${t("how_sure")}</summary><dl class="legend">
      ${entries.map(([certainty, line]) => html`<div><dt>${gauge(certainty)}${t(`certainty_${certainty}`)}</dt><dd>${line}</dd></div>`)}
    </dl></details>`;
  }

  #words(unused) {
    const { t } = this.about;
    if (!unused.length) return nothing;
    return html`<details class="fold"><summary>${t("words_explained")}</summary><dl class="legend">
      ${unused.map((g) => html`<div><dt>${g.term}</dt><dd>${g.plain}</dd></div>`)}
    </dl></details>`;
  }

  #next() {
    const { t } = this.about;
    const { kind, suggestions, statements } = this.reply;
    if (!this.newest) return nothing;
    const more = kind === "answer" && statements.length > 0;
    if (!suggestions.length && !more) return nothing;
    return html`<nav class="next" aria-label=${t(kind === "clarify" ? "pick_one" : "next")}>
      <p class="next-label">${t(kind === "clarify" ? "pick_one" : "next")}</p>
      <ul>
        ${suggestions.map(
          (s) => html`<li><button class="choice" type="button" aria-disabled=${this.locked} @click=${() => this.#ask(s)}><span>${s}</span>${icon("arrow")}</button></li>`,
        )}
        ${more
          ? html`<li><button class="choice more" type="button" aria-disabled=${this.locked} @click=${() => this.#ask(t("tell_more_message"))}><span>${t("tell_more")}</span>${icon("more")}</button></li>`
          : nothing}
      </ul>
    </nav>`;
  }

  render() {
    const { reply } = this;
    const { t, kiosk } = this.about;
    const positions = reply.disagreement?.positions ?? [];
    const { pieces, unused } = markTerms([...reply.statements.map((s) => s.text), ...positions.map((p) => p.claim)], reply.glossary);
    // Numbers first; but what we say to somebody in danger must not end up below a long list of them.
    const near = reply.kind === "urgent" && reply.contacts.length > FIRST_CONTACTS + 1 ? FIRST_CONTACTS : reply.contacts.length;
    const [first, others] = [reply.contacts.slice(0, near), reply.contacts.slice(near)];
    const judged = ["answer", "abstain", "decline"].includes(reply.kind);
    return html`<article class="reply ${reply.kind}" tabindex="-1" lang=${reply.language} aria-label=${reply.kind === "urgent" ? t("help_now") : t("answer")}>
      ${first.length
        ? html`<section class="help" aria-label=${t("help_now")}>
            ${kiosk && reply.kind === "urgent" ? html`<p class="staff-now">${t("emergency_staff")}</p>` : nothing}${contactList(first, t, kiosk)}
          </section>`
        : nothing}
      ${reply.lead ? html`<p class="lead">${reply.lead}</p>` : nothing}
      ${others.length ? html`<section class="help more-help"><h3>${t("more_help")}</h3>${contactList(others, t, kiosk)}</section>` : nothing}
      ${reply.statements.map((s, i) => this.#statement(s, pieces[i], i))}
      ${reply.disagreement ? this.#disagreement(pieces.slice(reply.statements.length)) : nothing}
      ${reply.notices.map((n) => this.#notice(n))} ${this.#clinician()}
      <div class="folds">${this.#legend()}${this.#words(unused)}</div>
      ${judged ? html`<guide-feedback .reply=${reply} .about=${this.about}></guide-feedback>` : nothing} ${this.#next()}
    </article>`;
  }
}

customElements.define("guide-reply", GuideReply);
