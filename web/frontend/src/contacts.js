/** Whom to call: shown in urgent replies, notices, problems and behind the emergency button. */
import { html, nothing } from "lit";
import { icon } from "./icons.js";
import { safeUrl } from "./text.js";

/** Address of a way to reach somebody, or null when it can only be said. */
const addressOf = (way) => {
  if (way.dial && way.kind === "call") return `tel:${way.dial}`;
  if (way.dial && way.kind === "text") return `sms:${way.dial}${way.body ? `?body=${encodeURIComponent(way.body)}` : ""}`;
  return safeUrl(way.url);
};

const wayView = (way, t, kiosk) => {
  const address = addressOf(way);
  const sign = icon(way.kind === "call" ? "phone" : "message");
  // A kiosk has no phone and no way out to the web: the words alone, large.
  if (kiosk || !address) return html`<span class="dial said">${sign}<span>${way.say}</span></span>`;
  const outside = address.startsWith("http");
  return html`<a class="dial" href=${address} target=${outside ? "_blank" : nothing} rel=${outside ? "noopener noreferrer" : nothing}
    >${sign}<span>${way.say}${outside ? html` <span class="unseen">(${t("new_tab")})</span>` : nothing}</span></a>`;
};

/** @param {object[]} contacts As in the contract. */
export const contactList = (contacts, t, kiosk) => html`<ul class="contacts">
  ${contacts.map(
    (c) => html`<li>
      <p class="contact-name">${c.name}${c.hours ? html`<span class="hours">${c.hours}</span>` : nothing}</p>
      <div class="ways">${c.ways.map((w) => wayView(w, t, kiosk))}</div>
    </li>`,
  )}
</ul>`;
