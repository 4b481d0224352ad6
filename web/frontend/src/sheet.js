/** The sheet a patient takes along: answers and sources in plain text. The patient's questions only when asked for. */
import { html, nothing } from "lit";
import { safeUrl } from "./text.js";

const marks = (numbers) => numbers.map((n) => `[${n}]`).join(" ");

const sure = (certainty, t) => html`<em>(${t("certainty_label")}: ${t(`certainty_${certainty}`)})</em>`;

const answerPart = (reply, t) => html`<div class="sheet-answer" lang=${reply.language}>
  ${reply.contacts.map((c) => html`<p><strong>${c.name}</strong>: ${c.ways.map((w) => w.say).join("; ")}${c.hours ? ` (${c.hours})` : ""}</p>`)}
  ${reply.lead ? html`<p>${reply.lead}</p>` : nothing}
  ${reply.statements.map((s) => html`<p>${s.text} ${marks(s.citations)} ${sure(s.certainty, t)}</p>`)}
  ${reply.disagreement
    ? html`<p><strong>${t("disagree")}.</strong> ${reply.disagreement.summary}</p>
        <ul>${reply.disagreement.positions.map((p) => html`<li>${p.claim} ${marks(p.citations)} ${sure(p.certainty, t)}</li>`)}</ul>
        <p>${reply.disagreement.why}</p>`
    : nothing}
  ${reply.notices.map((n) => html`<p>${n.text}</p>`)}
  <p><strong>${reply.clinician}</strong></p>
  ${reply.citations.length
    ? html`<p class="sheet-sources">${t("sheet_sources")}</p>
        <ol>${reply.citations.map((c) => html`<li value=${c.number}>${c.title}${c.year ? ` (${c.year})` : ""}. <span class="address">${safeUrl(c.url) ?? c.publisher}</span></li>`)}</ol>`
    : nothing}
</div>`;

/** @param {object[]} entries The conversation as shown. */
export const sheet = (entries, { t, clinic, urls, takeaway }, withQuestions) => {
  const worth = (e) => e.role === "guide" && !["smalltalk", "unavailable", "clarify"].includes(e.reply.kind);
  const parts = entries.filter((e) => worth(e) || (withQuestions && e.role === "patient"));
  const date = new Date().toLocaleDateString(document.documentElement.lang || "en", { dateStyle: "long" });
  return html`<section class="sheet">
    <h1>${t("sheet_heading")}</h1>
    <p>${t("sheet_note", { date })}</p>
    ${parts.map((e) => (e.role === "patient" ? html`<h2>${t("sheet_question")}: ${e.text}</h2>` : answerPart(e.reply, t)))}
    <div class="sheet-foot">
      ${takeaway ? html`<img src="${urls.qr}/guide.svg" width="120" height="120" alt="" />` : nothing}
      <p>
        ${clinic.name ? html`<strong>${clinic.name}</strong>` : nothing}${clinic.phone ? html`, ${clinic.phone.say}` : nothing}${clinic.hours ? html` (${clinic.hours})` : nothing}<br />
        ${takeaway ? html`${t("sheet_qr")}: <span class="address">${takeaway}</span><br />` : nothing} ${t("sheet_danger")}
      </p>
    </div>
  </section>`;
};
