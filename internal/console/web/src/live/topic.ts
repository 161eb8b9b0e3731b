/** What follows $share/NAME/ in a filter, else the filter. */
export function unshared(filter: string): string {
  const m = /^\$share\/[^/]+\/(.+)$/s.exec(filter);
  return m?.[1] ?? filter;
}

/** Whether a topic is one of those that a filter, shared or not, means. */
export function matches(filter: string, topic: string): boolean {
  const want = unshared(filter).split("/");
  const have = topic.split("/");
  // Topics of the server's own are never meant by a wildcard in the first level [MQTT-4.7.2-1].
  if (topic.startsWith("$") && (want[0] === "#" || want[0] === "+")) return false;
  for (const [i, level] of want.entries()) {
    if (level === "#") return i <= have.length;
    if (i >= have.length || (level !== "+" && level !== have[i])) return false;
  }
  return want.length === have.length;
}

export const hasWildcard = (filter: string): boolean => /[#+]/.test(filter);

/** What is wrong with a topic to publish to; nothing: it will do. */
export function topicFault(topic: string): string | undefined {
  if (!topic) return "Enter a topic.";
  if (hasWildcard(topic)) return "A topic to publish to has no wildcards (+ and #).";
  return undefined;
}

/** What is wrong with a topic filter; nothing: it will do. */
export function filterFault(filter: string): string | undefined {
  if (!filter) return "Enter a topic filter.";
  const levels = unshared(filter).split("/");
  if (filter.startsWith("$share/") && unshared(filter) === filter) return "A shared subscription is $share/GROUP/FILTER.";
  if (levels.some((l, i) => l.includes("#") && (l !== "#" || i < levels.length - 1))) return "# stands alone, at the end of a filter.";
  if (levels.some((l) => l.includes("+") && l !== "+")) return "+ stands alone between slashes.";
  return undefined;
}
