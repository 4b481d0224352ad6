/** Line icons, drawn here: 24 px grid, stroke in the text's colour, hidden from readers because a word stands beside each. */
import { html, svg } from "lit";

const PATHS = {
  phone: svg`<path d="M6.6 3.8 9 3.5l1.8 4.3-2 1.6a12 12 0 0 0 5.8 5.8l1.6-2 4.3 1.8-.3 2.4a3 3 0 0 1-3.2 2.6C10 19.5 4.5 14 4 7a3 3 0 0 1 2.6-3.200Z"/>`,
  message: svg`<path d="M4 5h16v11H10l-5 4v-4H4Z"/>`,
  close: svg`<path d="m6 6 12 12M18 6 6 18"/>`,
  menu: svg`<path d="M4 7h16M4 12h16M4 17h16"/>`,
  print: svg`<path d="M7 9V4h10v5M7 17H4V9h16v8h-3M7 14h10v6H7Z"/>`,
  bin: svg`<path d="M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5"/>`,
  out: svg`<path d="M13 5h6v6M19 5l-9 9M11 6H5v13h13v-6"/>`,
  arrow: svg`<path d="M5 12h13M13 7l5 5-5 5"/>`,
  back: svg`<path d="M19 12H6M11 7l-5 5 5 5"/>`,
  more: svg`<path d="M12 5v14M5 12h14"/>`,
  calendar: svg`<path d="M4 6h16v14H4ZM4 10h16M8 3.500V8M16 3.500V8"/>`,
  clinician: svg`<path d="M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8ZM4.5 20.500c.6-4 3.7-6 7.5-6s6.9 2 7.5 6"/>`,
  note: svg`<path d="M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16ZM12 11v5M12 7.800v.4"/>`,
  lock: svg`<path d="M6 11h12v9H6ZM8.5 11V8a3.5 3.5 0 0 1 7 0v3"/>`,
  book: svg`<path d="M12 7c-2-1.7-4.6-2-8-2v13c3.4 0 6 .3 8 2 2-1.7 4.6-2 8-2V5c-3.4 0-6 .3-8 2ZM12 7v13"/>`,
  hand: svg`<path d="M12 3.500a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17ZM6.2 6.200l11.6 11.6"/>`,
  globe: svg`<path d="M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16ZM4 12h16M12 4c5 5 5 11 0 16M12 4c-5 5-5 11 0 16"/>`,
  keyboard: svg`<path d="M3 7h18v11H3ZM6.5 10.500h.5M10 10.500h.5M13.5 10.500h.5M17 10.500h.5M8 14.500h8"/>`,
  check: svg`<path d="m5 12.5 4.5 4.500L19 7.5"/>`,
  // topics
  help: svg`<path d="M12 20S4 15 4 9.300C4 6.5 6 5 8 5c1.8 0 3.2 1 4 2.600C12.8 6 14.2 5 16 5c2 0 4 1.5 4 4.300C20 15 12 20 12 20Z"/>`,
  risks: svg`<path d="M12 4 21 19.500H3ZM12 10v4.500M12 17v.2"/>`,
  session: svg`<path d="M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16ZM12 8v4.500l3 2"/>`,
  who: svg`<path d="M9 5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7ZM3 20c.4-3.6 2.8-5.5 6-5.500s5.6 1.9 6 5.500M16 5.500a3.3 3.3 0 0 1 0 6.300M17.5 14.800c2 .7 3.2 2.4 3.5 5.2"/>`,
  rules: svg`<path d="M6 3.500h8l4 4v13H6ZM14 3.500v4h4M9 12h6M9 16h6"/>`,
  mood: svg`<path d="M3 18h18M6.5 18a5.5 5.5 0 0 1 11 0M12 5v3.5M4.5 9.5l2 2M19.5 9.5l-2 2"/>`,
  evidence: svg`<path d="M5 20V11M10 20V5M15 20v-7M20 20V8"/>`,
  other: svg`<path d="M12 20v-7M12 13 5 6M12 13l7-7M5 11V6h5M14 6h5v5"/>`,
};

/** @param {keyof typeof PATHS} name */
export const icon = (name) => html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${PATHS[name]}</svg>`;

/** The guide's mark: what is said, and the brackets of a source. */
export const mark = html`<svg class="mark" viewBox="0 0 40 40" aria-hidden="true" focusable="false">
  <path class="mark-bubble" d="M20 3c9.9 0 17 6.3 17 14.800S29.9 32.5 20 32.500c-1.6 0-3.2-.2-4.7-.5L7 37l1.6-7.600C5.1 26.7 3 22.6 3 17.8 3 9.3 10.1 3 20 3Z"/>
  <path class="mark-lines" d="M15.5 11h-3.300v13.500h3.300M24.5 11h3.300v13.500h-3.300M18 17.800h4"/>
</svg>`;

const STEPS = { high: 4, moderate: 3, low: 2, very_low: 1, not_graded: 0 };

/** How sure, as four bars: never alone, a word always follows. */
export const gauge = (certainty) => {
  const filled = STEPS[certainty] ?? 0;
  return html`<svg class="gauge ${filled ? "" : "unrated"}" viewBox="0 0 26 18" aria-hidden="true" focusable="false">
    ${[0, 1, 2, 3].map((i) => svg`<rect class=${i < filled ? "on" : "off"} x=${1 + i * 6.5} y=${11 - i * 3} width="4" height=${6 + i * 3} rx="1"/>`)}
  </svg>`;
};
