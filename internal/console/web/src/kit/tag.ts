export interface Tag {
  Key: string;
  Value: string;
}

/** What is wrong with tags; nothing: they will do. */
export function tagFault(tags: Tag[]): string | undefined {
  if (tags.some((t) => !t.Key)) return "A tag has no key.";
  const keys = tags.map((t) => t.Key);
  const twice = keys.find((k, i) => keys.indexOf(k) !== i);
  return twice === undefined ? undefined : `The tag "${twice}" is there twice.`;
}
