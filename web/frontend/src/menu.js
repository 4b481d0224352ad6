/** Text size, print, clear, language, privacy. */
import { html, nothing } from "lit";
import { icon } from "./icons.js";

const shut = (event) => {
  event.target.closest("details").open = false;
};

/** Leaving the menu by Tab, or touching beside it, closes it. */
const onFocusOut = (event) => {
  const details = event.currentTarget;
  if (event.relatedTarget && !details.contains(event.relatedTarget)) details.open = false;
};

export const menu = ({ t, kiosk, urls, languages, printer }, actions) => html`<details class="menu" @focusout=${onFocusOut}>
  <summary aria-label=${t("menu")}>${icon("menu")}<span class="menu-word">${t("menu")}</span></summary>
  <div class="sheet-menu">
    <div class="sizes" role="group" aria-label=${t("text_size")}>
      <span>${t("text_size")}</span>
      <button type="button" class="square" aria-label=${t("smaller")} aria-disabled=${actions.size === 0} @click=${() => actions.resize(-1)}><span class="small-a">A</span></button>
      <button type="button" class="square" aria-label=${t("larger")} aria-disabled=${actions.size === actions.sizes - 1} @click=${() => actions.resize(1)}><span class="large-a">A</span></button>
      <span class="unseen" role="status">${t("size_now", { n: actions.size + 1 })}</span>
    </div>
    ${printer
      ? html`<button type="button" class="item" ?disabled=${actions.empty} @click=${(e) => { shut(e); actions.show("print-dialog"); }}>${icon("print")}${t(kiosk ? "print_kiosk" : "print")}</button>`
      : nothing}
    ${kiosk
      ? nothing
      : html`<button type="button" class="item" ?disabled=${actions.empty} @click=${(e) => { shut(e); actions.show("clear-dialog"); }}>${icon("bin")}${t("clear")}</button>`}
    ${languages.map((l) => html`<a class="item" href=${l.href} lang=${l.code} hreflang=${l.code}>${icon("globe")}${l.name}</a>`)}
    ${kiosk ? nothing : html`<a class="item" href=${urls.privacy} target="_blank" rel="noopener">${icon("lock")}<span>${t("privacy")} <span class="unseen">(${t("new_tab")})</span></span></a>`}
  </div>
</details>`;
