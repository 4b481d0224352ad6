/** Words of the interface: the server puts one catalogue (web/frontend/text/*.json) into the page. */

/**
 * @param {Record<string, string>} catalogue
 * @returns {(key: string, values?: Record<string, string | number>) => string} The words of a key, `{name}` filled in.
 */
export const wordsFrom = (catalogue) => (key, values) =>
  (catalogue[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values?.[name] ?? whole);

/** A number for a message, so that a message sent twice is answered once. Works without a secure context, too. */
export const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");

/** Host name of an address, or "". */
export const hostOf = (url) => {
  try {
    return new URL(url).hostname.replace(/^www\./, "");
  } catch {
    return "";
  }
};

/** An address that may be put into `href`: anything but http and https is dropped. */
export const safeUrl = (url) => (/^https?:\/\//i.test(url ?? "") ? url : null);
