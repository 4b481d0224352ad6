/** What is remembered across a reload: the conversation's id and the text size, in this tab only. */
export class Memory {
  #kept = new Map();
  #store = null;

  /** @param {boolean} onlyHere Keep it in memory only, as on the kiosk, where the next person uses the same tab. */
  constructor(onlyHere) {
    if (onlyHere) return;
    try {
      // Browsers that refuse storage to a page inside another one throw here.
      this.#store = window.sessionStorage;
      this.#store.getItem("");
    } catch {
      this.#store = null;
    }
  }

  get(key) {
    return this.#kept.get(key) ?? this.#store?.getItem(`guide.${key}`) ?? null;
  }

  set(key, value) {
    this.#kept.set(key, value);
    try {
      this.#store?.setItem(`guide.${key}`, value);
    } catch {
      /* full or refused: memory will do */
    }
  }

  remove(key) {
    this.#kept.delete(key);
    this.#store?.removeItem(`guide.${key}`);
  }
}
