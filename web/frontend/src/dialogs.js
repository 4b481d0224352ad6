/** The windows in front of the chat: native `<dialog>`, so that focus, Escape and readers need nothing of ours. */
import { html, nothing } from "lit";
import { contactList } from "./contacts.js";
import { icon } from "./icons.js";

const close = (event) => event.target.closest("dialog").close();
/** A click beside the window closes it, as people expect. */
const beside = (event) => event.target.nodeName === "DIALOG" && event.target.close();

export const emergencyDialog = ({ t, contacts, clinic, kiosk }) => html`<dialog class="window emergency-dialog" aria-labelledby="emergency-title" @click=${beside}>
  <div>
    <h2 id="emergency-title">${t("emergency_heading")}</h2>
    ${kiosk ? html`<p class="staff-now">${t("emergency_staff")}</p><p>${t("emergency_phone")}</p>` : html`<p>${t("emergency_text")}</p>`}
    ${contactList(contacts, t, kiosk)}
    ${clinic.phone && !kiosk
      ? html`<p class="clinic-line">${clinic.name}: <a class="button" href="tel:${clinic.phone.dial}">${icon("phone")}${clinic.phone.say}</a>${clinic.hours ? html`<span class="hours">${clinic.hours}</span>` : nothing}</p>`
      : nothing}
    <p class="row"><button type="button" @click=${close}>${icon("close")}${t("close")}</button></p>
  </div>
</dialog>`;

export const clearDialog = ({ t }, actions) => html`<dialog class="window clear-dialog" aria-labelledby="clear-title" @click=${beside}>
  <div>
    <h2 id="clear-title">${t("clear_heading")}</h2>
    <p>${t("clear_text")}</p>
    <p class="row">
      <button class="primary" type="button" @click=${(e) => { close(e); actions.clear(); }}>${t("clear_yes")}</button>
      <button type="button" @click=${close}>${t("cancel")}</button>
    </p>
  </div>
</dialog>`;

export const printDialog = ({ t }, actions) => html`<dialog class="window print-dialog" aria-labelledby="print-title" @click=${beside}>
  <form method="dialog" @submit=${(e) => actions.print(new FormData(e.target).has("questions"))}>
    <h2 id="print-title">${t("print_heading")}</h2>
    <p>${t("print_text")}</p>
    <label class="option"><input type="checkbox" name="questions" autocomplete="off" /><span>${t("print_questions")}</span></label>
    <p class="row"><button class="primary" type="submit">${icon("print")}${t("print_now")}</button><button type="button" @click=${close}>${t("cancel")}</button></p>
  </form>
</dialog>`;
