/** Helpful or not, and what was wrong with which part. */
import { LitElement, html, nothing } from "lit";

const PROBLEMS = ["wrong", "unclear", "not_my_question", "worrying"];

export class GuideFeedback extends LitElement {
  static properties = {
    reply: { attribute: false },
    about: { attribute: false },
    step: { state: true },
    failed: { state: true },
  };

  constructor() {
    super();
    /** `ask`, `why` (the form is open), `done`. */
    this.step = "ask";
    this.failed = false;
  }

  createRenderRoot() {
    return this;
  }

  async #send(values) {
    this.failed = false;
    try {
      await this.about.feedback({ reply_id: this.reply.reply_id, ...values });
      this.step = "done";
      await this.updateComplete;
      this.querySelector(".thanks")?.focus();
    } catch {
      this.failed = true;
    }
  }

  async #why() {
    this.step = "why";
    await this.updateComplete;
    this.querySelector("legend")?.focus();
  }

  async #cancel() {
    this.step = "ask";
    await this.updateComplete;
    this.querySelector("button.no")?.focus();
  }

  #submit(event) {
    event.preventDefault();
    const form = new FormData(event.target);
    const values = { helpful: false };
    for (const name of ["problem", "statement_id", "comment"]) {
      const value = String(form.get(name) ?? "").trim();
      if (value) values[name] = value;
    }
    this.#send(values);
  }

  #form() {
    const { t, comments } = this.about;
    const { statements, disagreement, reply_id: id } = this.reply;
    const option = (name, value, label, checked = false) =>
      html`<label class="option"><input type="radio" name=${name} value=${value} ?checked=${checked} /><span>${label}</span></label>`;
    return html`<form class="why-form" @submit=${this.#submit}>
      <fieldset><legend tabindex="-1">${t("what_wrong")}</legend>${PROBLEMS.map((p) => option("problem", p, t(`wrong_${p}`)))}</fieldset>
      ${statements.length + (disagreement ? 1 : 0) > 1
        ? html`<fieldset><legend>${t("which_part")}</legend>${option("statement_id", "", t("whole_answer"), true)}${statements.map((s) =>
            option("statement_id", s.id, html`<q>${s.text}</q>`),
          )}</fieldset>`
        : nothing}
      ${comments
        ? html`<label class="over" for="comment-${id}">${t("comment")}</label>
            <textarea id="comment-${id}" name="comment" rows="2" maxlength="2000" autocomplete="off" aria-describedby="note-${id}"></textarea>
            <p class="hint" id="note-${id}">${t("comment_note")}</p>`
        : nothing}
      <p class="row"><button class="primary" type="submit">${t("feedback_send")}</button><button type="button" @click=${this.#cancel}>${t("cancel")}</button></p>
    </form>`;
  }

  render() {
    const { t } = this.about;
    return html`<div class="feedback">
      ${this.step === "done" ? html`<p class="thanks" tabindex="-1" role="status">${t("thanks_feedback")}</p>` : nothing}
      ${this.step === "ask"
        ? html`<p class="helpful" id="helpful-${this.reply.reply_id}">${t("helpful")}</p>
            <span class="answers" role="group" aria-labelledby="helpful-${this.reply.reply_id}"
              ><button class="yes" type="button" @click=${() => this.#send({ helpful: true })}>${t("yes")}</button
              ><button class="no" type="button" @click=${this.#why}>${t("no")}</button></span
            >`
        : nothing}
      ${this.step === "why" ? this.#form() : nothing}
      ${this.failed ? html`<p class="failed" role="alert">${t("feedback_failed")}</p>` : nothing}
    </div>`;
  }
}

customElements.define("guide-feedback", GuideFeedback);
