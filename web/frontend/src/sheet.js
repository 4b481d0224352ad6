/** The sheet a patient takes along: answers and sources in plain text. The patient's questions only when asked for. */
import { html, nothing } from "lit";
import { mark } from "./icons.js";
import { safeUrl } from "./text.js";

const NOTE_LINES = 3;
const UNREVIEWED = "not_reviewed";

const marks = (numbers) => html`<span class="sheet-marks">${numbers.map((n) => `[${n}]`).join(" ")}</span>`;

const sure = ({ certainty, certainty_by: by }, t) =>
  html`<p class="sheet-sure">${t("certainty_label")}: <strong>${t(`certainty_${certainty}`)}</strong>${by ? `. ${t("rated_by", { who: by })}` : nothing}</p>`;

const disagreementPart = (d, t) => html`<h3>${t("disagree")}</h3>
  <p>${d.summary}</p>
  <ul>
    ${d.positions.map((p) => html`<li><p>${p.claim} ${marks(p.citations)}</p>${sure(p, t)}</li>`)}
  </ul>
  <p>${t("why_differ")}: ${d.why}</p>`;

const sourcesPart = (citations, t) => html`<h3 class="sheet-sources">${t("sheet_sources")}</h3>
  <ol>
    ${citations.map((c) => html`<li value=${c.number}>${c.title}${c.year ? ` (${c.year})` : ""}. <span class="address">${safeUrl(c.url) ?? c.publisher}</span></li>`)}
  </ol>`;

const answerPart = (reply, t) => html`<div class="sheet-answer" lang=${reply.language}>
  ${reply.contacts.map((c) => html`<p><strong>${c.name}</strong>: ${c.ways.map((w) => w.say).join("; ")}${c.hours ? ` (${c.hours})` : ""}</p>`)}
  ${reply.lead ? html`<p>${reply.lead}</p>` : nothing}
  ${reply.statements.map((s) => html`<div class="sheet-said"><p>${s.text} ${marks(s.citations)}</p>${sure(s, t)}</div>`)}
  ${reply.disagreement ? disagreementPart(reply.disagreement, t) : nothing}
  ${reply.notices.map((n) => (n.kind === UNREVIEWED ? nothing : html`<p>${n.text}</p>`))}
  <p class="sheet-clinician">${reply.clinician}</p>
  ${reply.citations.length ? sourcesPart(reply.citations, t) : nothing}
</div>`;

/** @param {object[]} entries The conversation as shown. */
export const sheet = (entries, { t, clinic, urls, takeaway }, withQuestions) => {
  const worth = (e) => e.role === "guide" && !["smalltalk", "unavailable", "clarify"].includes(e.reply.kind);
  const parts = entries.filter((e) => worth(e) || (withQuestions && e.role === "patient"));
  const replies = parts.filter((e) => e.role === "guide").map((e) => e.reply);
  const legend = Object.entries(Object.assign({}, ...replies.map((r) => r.legend)));
  const unreviewed = replies.flatMap((r) => r.notices).find((n) => n.kind === UNREVIEWED);
  const date = new Date().toLocaleDateString(document.documentElement.lang || "en", { dateStyle: "long" });
  return html`<section class="sheet">
    <div class="sheet-top">${clinic.logo ? html`<img class="logo" src=${clinic.logo} alt="" />` : mark}<p><strong>${clinic.name ?? t("title")}</strong></p><p>${date}</p></div>
    <h1>${t("sheet_heading")}</h1>
    <p>${t("sheet_note")}${unreviewed ? ` ${unreviewed.text}` : nothing}</p>
    ${parts.map((e) => (e.role === "patient" ? html`<h2>${t("sheet_question")}: ${e.text}</h2>` : answerPart(e.reply, t)))}
    ${legend.length
      ? html`<div class="sheet-legend"><h3>${t("how_sure")}</h3>${legend.map(([c, line]) => html`<p><strong>${t(`certainty_${c}`)}:</strong> ${line}</p>`)}</div>`
      : nothing}
    <div class="sheet-notes"><h2>${t("sheet_notes")}</h2>${Array.from({ length: NOTE_LINES }, () => html`<p></p>`)}</div>
    <div class="sheet-foot">
      ${takeaway ? html`<img src="${urls.qr}/guide.svg" width="110" height="110" alt="" />` : nothing}
      <p>
        ${clinic.name ? html`<strong>${clinic.name}</strong>` : nothing}${clinic.phone ? html`, ${clinic.phone.say}` : nothing}${clinic.hours ? html` (${clinic.hours})` : nothing}<br />
        ${takeaway ? html`${t("sheet_qr")}: <span class="address">${takeaway}</span><br />` : nothing} ${t("sheet_danger")}
      </p>
    </div>
  </section>`;
};
