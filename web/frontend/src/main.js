import { GuideChat } from "./chat.js";
import { GuideKiosk } from "./kiosk.js";

customElements.define("guide-chat", GuideChat);
customElements.define("guide-kiosk", GuideKiosk);
