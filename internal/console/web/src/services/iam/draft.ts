/** A policy that one screen hands to the next, as the generator does. */
let draft: string | undefined;

export function handOn(document: string): void {
  draft = document;
}

/** takeDraft is what was handed on, once. */
export function takeDraft(): string | undefined {
  const taken = draft;
  queueMicrotask(() => (draft = undefined)); // React asks twice while developing
  return taken;
}
