/**
 * The one script a clinic puts on its site. It draws a button in a closed shadow root and opens our own page in a frame, so that
 * nothing on the site can read the conversation. Sizes are in px: rem would follow the site's own root size.
 *
 * `CLINIC` is put in by the server (web/embed.py); `data-` attributes of the script tag win over it.
 */
/* global __CLINIC__ */
(() => {
  const script = document.currentScript;
  const clinic = __CLINIC__;
  const data = script.dataset;
  const origin = new URL(script.src).origin;
  const siteLanguage = (document.documentElement.lang || "").slice(0, 2);
  const language = data.language || (clinic.labels[siteLanguage] ? siteLanguage : clinic.language);
  const words = clinic.labels[language] || clinic.labels.en;
  const side = (data.side || clinic.side) === "left" ? "left" : "right";
  const other = side === "left" ? "right" : "left";

  const make = (name, attributes) => {
    const element = document.createElement(name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    return element;
  };

  const start = () => {
    const host = make("ketamine-guide-widget", {});
    const root = host.attachShadow({ mode: "closed" });
    const style = new CSSStyleSheet();
    style.replaceSync(`
:host{all:initial!important;position:fixed!important;display:block!important;inset:auto!important;bottom:20px!important;${side}:20px!important;z-index:2147483000!important}
button{all:unset;box-sizing:border-box;display:flex;align-items:center;gap:10px;min-height:56px;padding:0 22px 0 18px;border:2px solid ${clinic.onAccent};border-radius:28px;
background:${clinic.accent};color:${clinic.onAccent};font:600 18px/1.2 system-ui,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;cursor:pointer;box-shadow:0 4px 18px rgb(20 16 36/.28);max-width:calc(100vw - 40px)}
button:focus-visible{outline:3px solid ${clinic.accent};outline-offset:3px}
svg{width:26px;height:26px;flex:none;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
dialog{box-sizing:border-box;padding:0;border:0;overflow:hidden;position:fixed;inset:auto 20px 20px auto;${side}:20px;${other}:auto;width:min(460px,calc(100vw - 40px));height:min(780px,calc(100dvh - 40px));
max-width:none;max-height:none;border-radius:18px;background:${clinic.ground};box-shadow:0 12px 48px rgb(20 16 36/.38)}
dialog::backdrop{background:rgb(20 16 36/.32)}
iframe{position:absolute;inset:0;width:100%;height:100%;border:0;color-scheme:normal;visibility:hidden}
.ready iframe{visibility:visible}
.ready .wait{display:none}
.wait{box-sizing:border-box;padding:28px 24px;font:18px/1.5 system-ui,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;color:#262133;visibility:hidden;animation:late 0s 3s forwards}
.wait p{margin:0 0 16px}
.wait a{display:inline-flex;align-items:center;min-height:44px;color:${clinic.accent}}
@keyframes late{to{visibility:visible}}
@media(max-width:600px),(max-height:560px){dialog{inset:0;width:100vw;height:100dvh;border-radius:0}}
@media(prefers-color-scheme:dark){dialog{background:${clinic.darkGround}}.wait,.wait a{color:#f1eef6}}
@media(forced-colors:active){button,dialog{border:2px solid ButtonText}}
@media print{:host{display:none!important}}`);
    root.adoptedStyleSheets = [style];

    const button = make("button", { type: "button", "aria-haspopup": "dialog" });
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", "M12 3c6 0 9.5 3.4 9.5 7.8s-3.5 7.8-9.5 7.8q-1.5 0-3-.3L4.5 21l.8-4.2C3.4 15.2 2.5 13.1 2.5 10.8 2.5 6.4 6 3 12 3ZM9.6 7.800H8.200v6h1.400M14.4 7.800h1.400v6h-1.4");
    svg.append(path);
    const label = document.createElement("span");
    label.textContent = data.label || words.button;
    button.append(svg, label);

    const dialog = make("dialog", { "aria-label": words.title });
    let frame;
    const addressOf = (path) => {
      const address = new URL(path, origin);
      address.searchParams.set("lang", language);
      if (data.region) address.searchParams.set("region", data.region);
      return address.href;
    };
    const line = (...inside) => {
      const p = make("p", {});
      p.append(...inside);
      return p;
    };
    // Seen only where the chat does not come: nobody is left before an empty window without a way on or out.
    const wait = make("div", { class: "wait" });
    const link = make("a", { href: addressOf("/"), target: "_blank", rel: "noopener noreferrer" });
    link.append(words.widget_tab);
    const close = make("button", { type: "button" });
    close.append(words.close);
    wait.append(line(words.widget_slow), line(link), line(words.sheet_danger), close);
    dialog.append(wait);
    const open = () => {
      if (!frame) {
        frame = make("iframe", {
          title: words.title,
          // popups: source links and tel: open; modals: print; the rest of the site stays out of reach
          sandbox: "allow-scripts allow-same-origin allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox",
          referrerpolicy: "no-referrer",
          src: addressOf("/chat"),
        });
        dialog.append(frame);
      }
      dialog.showModal();
      greet();
    };
    const greet = () => {
      if (!dialog.open || !dialog.className) return;
      frame.focus();
      frame.contentWindow.postMessage("ketamine-guide:opened", origin);
    };
    button.addEventListener("click", open);
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    addEventListener("message", (event) => {
      if (event.origin !== origin || !frame || event.source !== frame.contentWindow) return;
      if (event.data === "ketamine-guide:close") dialog.close();
      if (event.data === "ketamine-guide:ready") {
        dialog.className = "ready";
        greet();
      }
    });
    // a clinic's own link or button may open it too
    document.addEventListener("click", (event) => {
      const wanted = event.target instanceof Element && event.target.closest("[data-ketamine-guide]");
      if (!wanted) return;
      event.preventDefault();
      open();
    });

    root.append(button, dialog);
    const page = document.documentElement;
    // Sites that hide everything until they have loaded would hide this as well.
    const hidden = (element) => getComputedStyle(element).display === "none";
    if (hidden(page)) page.style.setProperty("display", "block", "important");
    (hidden(document.body) ? page : document.body).append(host);
  };

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
