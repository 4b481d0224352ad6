/** Finds the terms of a reply's glossary in its texts, so that each can be tapped where it first stands. */

const escaped = (s) => s.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/**
 * Cuts texts into plain runs and terms. A term is marked once in the whole reply: at its first use.
 *
 * @param {string[]} texts
 * @param {{term: string, plain: string}[]} glossary
 * @returns {{pieces: (string | {term: object, shown: string, tail: string})[][], unused: object[]}} `tail` is what may not be parted from the term.
 */
export const markTerms = (texts, glossary) => {
  if (!glossary.length) return { pieces: texts.map((t) => [t]), unused: [] };
  const byName = new Map(glossary.map((g) => [g.term.toLowerCase(), g]));
  const names = [...byName.keys()].sort((a, b) => b.length - a.length).map(escaped);
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(${names.join("|")})(?:e?s)?(?![\\p{L}\\p{N}])`, "giu");
  const used = new Set();
  const pieces = texts.map((text) => {
    const parts = [];
    let from = 0;
    for (const match of text.matchAll(pattern)) {
      const term = byName.get(match[1].toLowerCase());
      if (!term || used.has(term)) continue;
      used.add(term);
      const end = match.index + match[0].length;
      const [tail] = /^[\p{P}]*/u.exec(text.slice(end));
      parts.push(text.slice(from, match.index), { term, shown: match[0], tail });
      from = end + tail.length;
    }
    parts.push(text.slice(from));
    return parts;
  });
  return { pieces, unused: glossary.filter((g) => !used.has(g)) };
};
