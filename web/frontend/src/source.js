/** A source, opened in place under the statement that cites it. */
import { html, nothing } from "lit";
import { icon } from "./icons.js";
import { hostOf, safeUrl } from "./text.js";

// what the evidence says where a source names no author
const UNNAMED = /^(authors )?not (shown|seen|given)$/i;

/** @param {object} source A Citation of the contract. */
export const sourceCard = (source, { t, kiosk, urls, language }) => {
  const url = safeUrl(source.url);
  const row = (label, value) => (value ? html`<div><dt>${label}</dt><dd>${value}</dd></div>` : nothing);
  // the address the QR code holds, to be typed where no code can be read
  const short = urls.public ? `${urls.public}/sources/${source.source_id}` : url;
  return html`<h4 class="source-title"><span class="source-number">${source.number}</span>${source.title}${source.year ? html` <span class="year">(${source.year})</span>` : nothing}</h4>
    <p class="source-by">${[source.authors, source.publisher].filter((name) => name && !UNNAMED.test(name)).join(". ")}</p>
    <dl class="source-facts">
      ${row(t("source_kind"), t(`kind_${source.kind}`))} ${row(t("source_read"), t(`read_${source.read_as}`))} ${row(t("source_where"), source.locator)}
    </dl>
    ${kiosk
      ? short
        ? html`<div class="qr"><img src="${urls.qr}/${source.source_id}.svg" width="180" height="180" alt=${t("qr_of_source", { n: source.number })} />
            <p>${t("source_qr")}<br /><span class="address">${short}</span></p></div>`
        : nothing
      : html`<p class="source-links">
            ${url ? html`<a class="button" href=${url} target="_blank" rel="noopener noreferrer">${icon("out")}<span>${t("source_open")}</span></a>` : nothing}
            <a class="button plain" href="${urls.sources}/${source.source_id}?lang=${language}" target="_blank" rel="noopener"
              ><span>${t("source_about")} <span class="unseen">(${t("new_tab")})</span></span></a
            >
          </p>
          ${url ? html`<p class="leaves">${t("source_leaves", { host: hostOf(url) })}</p>` : nothing}`}`;
};
