/** The calls of the public contract that a patient's screen needs. */

/** What went wrong, in the words the interface knows. */
export class Problem extends Error {
  /**
   * @param {"offline" | "slow" | "busy" | "long" | "gone" | "down" | "refused"} kind
   * @param {{contacts?: object[], clinician?: string}} [document] The problem document, when there is one.
   * @param {number} [seconds] After which it may be tried again.
   */
  constructor(kind, document = {}, seconds = 60) {
    super(kind);
    this.kind = kind;
    this.document = document;
    this.seconds = seconds;
  }
}

const WAIT = 25_000; // the server answers within seconds; beyond this the line is dead

/** Turns a response that is not a success into a Problem. */
const problemOf = async (response) => {
  const document = await response.json().catch(() => ({}));
  const slug = String(document.type ?? "").split("/").pop();
  const { status } = response;
  if (slug === "no-such-conversation") return new Problem("gone", document);
  if (status === 429) return new Problem("busy", document, Number(response.headers.get("Retry-After")) || 60);
  if (status === 413) return new Problem("long", document);
  return new Problem(status >= 500 ? "down" : "refused", document);
};

export class Api {
  /** @param {string} base Address of the API, without a slash at the end. */
  constructor(base) {
    this.base = base;
  }

  async #call(path, method = "GET", body = undefined, more = {}) {
    let response;
    try {
      response = await fetch(this.base + path, {
        method,
        headers: body ? { "Content-Type": "application/json" } : {},
        body: body && JSON.stringify(body),
        credentials: "omit",
        cache: "no-store",
        referrerPolicy: "no-referrer",
        signal: AbortSignal.timeout(WAIT),
        ...more,
      });
    } catch (error) {
      throw new Problem(error.name === "TimeoutError" ? "slow" : "offline");
    }
    if (!response.ok) throw await problemOf(response);
    if (response.status === 204) return null;
    return response.json().catch(() => {
      throw new Problem("down");
    });
  }

  create(about) {
    return this.#call("/conversations", "POST", about);
  }

  send(id, text, messageId) {
    return this.#call(`/conversations/${id}/messages`, "POST", { text, message_id: messageId });
  }

  read(id) {
    return this.#call(`/conversations/${id}`);
  }

  /** `keepalive`: also while the page goes away. */
  remove(id) {
    return this.#call(`/conversations/${id}`, "DELETE", undefined, { keepalive: true });
  }

  feedback(id, values) {
    return this.#call(`/conversations/${id}/feedback`, "POST", values);
  }
}
