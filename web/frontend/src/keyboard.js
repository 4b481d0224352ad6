/** A keyboard on the screen, for kiosks without one. */
import { html } from "lit";
import { icon } from "./icons.js";

const ROWS = {
  en: ["qwertyuiop", "asdfghjkl'", "zxcvbnm,.?"],
  es: ["qwertyuiop", "asdfghjklñ", "zxcvbnm,.?", "áéíóúü¿"],
};

/** Types into the box as a person would: at the caret, and the component hears of it. */
const put = (box, text) => {
  box.setRangeText(text, box.selectionStart, box.selectionEnd, "end");
  box.dispatchEvent(new Event("input", { bubbles: true }));
};

const remove = (box) => {
  if (box.selectionStart === box.selectionEnd && box.selectionStart > 0) box.selectionStart -= 1;
  put(box, "");
};

/**
 * @param {() => HTMLTextAreaElement} box Where it types.
 * @param {() => void} done What Send does.
 */
export const keyboard = ({ t, language }, box, done) => {
  // The caret stays in the box: a key must not take the focus from it when touched.
  const hold = (event) => event.preventDefault();
  const key = (label, act, name = label, kind = "") =>
    html`<button type="button" class="key ${kind}" aria-label=${name} @pointerdown=${hold} @click=${act}>${label}</button>`;
  return html`<div class="keyboard" role="group" aria-label=${t("kiosk_type")}>
    ${(ROWS[language] ?? ROWS.en).map((row) => html`<div class="key-row">${[...row].map((c) => key(c, () => put(box(), c)))}</div>`)}
    <div class="key-row">
      ${key(t("key_delete"), () => remove(box()), t("key_delete"), "wide")} ${key(t("key_space"), () => put(box(), " "), t("key_space"), "space")}
      ${key(html`${icon("arrow")}${t("send")}`, done, t("send"), "wide go")}
    </div>
  </div>`;
};
