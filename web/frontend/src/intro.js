/** What stands before the first message: what this is, what it is not, what happens to one's words. */
import { html, nothing } from "lit";
import { icon } from "./icons.js";

/** The topics as folds, each with its questions. */
export const topicFolds = ({ t, groups }, ask) => html`<div class="topics">
  ${groups.map(
    (g) => html`<details class="fold"><summary>${icon(g.id)}<span>${t(`group_${g.id}`)}</span></summary>
      <ul class="choices">${g.questions.map((q) => html`<li><button class="choice" type="button" @click=${() => ask(q)}><span>${q}</span>${icon("arrow")}</button></li>`)}</ul>
    </details>`,
  )}
</div>`;

/** @param {boolean} begun Whether something was asked already: then the suggestions go and the rest stays readable above. */
export const intro = (about, ask, begun) => {
  const { t, kiosk, urls, hours, greeting, clinic } = about;
  const fact = (name, sign, text) => html`<li>${icon(sign)}<p><strong>${t(`intro_${name}_label`)}.</strong> ${text}</p></li>`;
  return html`<section class="intro">
    ${clinic.name ? html`<p class="eyebrow">${clinic.name}</p>` : nothing}
    <h2>${t("intro_heading")}</h2>
    <p class="intro-lead">${t("intro_lead")}</p>
    <ul class="facts">
      ${fact("is", "book", t("intro_is"))} ${fact("not", "hand", t("intro_not"))}
      ${fact(
        "private",
        "lock",
        kiosk
          ? t("intro_private_kiosk")
          : html`${t("intro_private", { hours })} <a href=${urls.privacy} target="_blank" rel="noopener">${t("privacy_more")}<span class="unseen"> (${t("new_tab")})</span></a>`,
      )}
    </ul>
    ${begun
      ? nothing
      : html`<div class="start">
          <p class="next-label">${t("start_with")}</p>
          <ul class="choices">${greeting.suggestions.map((s) => html`<li><button class="choice" type="button" @click=${() => ask(s)}><span>${s}</span>${icon("arrow")}</button></li>`)}</ul>
          <details class="fold browse"><summary>${t("browse")}</summary>${topicFolds(about, ask)}</details>
        </div>`}
    ${greeting.notices.map((n) => html`<p class="notice ${n.kind}">${icon("note")}<span>${n.text}</span></p>`)}
  </section>`;
};
