import { useEffect, useRef, useState } from "react";
import { region } from "../../../session/region";
import { whenForgotten } from "../../../session/credentials";
import { updateTest, validateModel, type Fault, type Test } from "../api";
import { cleaned, documentOf, type Model } from "../model";

/** What was changed of a test and is not saved yet. */
export interface Draft {
  version: number; // of the test that was changed
  model?: Model;
  /** New values of settings. */
  values: Record<string, string>;
  /** Settings that lose their value. */
  removed: string[];
}

// Drafts outlast a look at another screen, not the session.
const drafts = new Map<string, Draft>();
whenForgotten(() => drafts.clear());

export const untouched = (version: number): Draft => ({ version, values: {}, removed: [] });

/** changed says whether there is anything to save. */
export const changed = (d: Draft, saved: Model): boolean => Object.keys(d.values).length > 0 || d.removed.length > 0 || (d.model !== undefined && documentOf(d.model) !== documentOf(saved));

/** useDraft is a test's draft, and how it is changed, saved and given up. */
export function useDraft(name: string) {
  const key = `${region()}/${name}`;
  const [draft, set] = useState(() => drafts.get(key));
  const put = (d: Draft | undefined) => {
    if (d) drafts.set(key, d);
    else drafts.delete(key);
    set(d);
  };
  return { draft, put };
}

/** save sends what was changed, to the version that it was changed from. */
export const save = (name: string, d: Draft, saved: Model) =>
  updateTest(name, {
    modelDocument: d.model && documentOf(d.model) !== documentOf(saved) ? JSON.stringify(cleaned(d.model)) : undefined,
    settings: Object.keys(d.values).length ? d.values : undefined,
    removeSettings: d.removed.length ? d.removed : undefined,
    expectedVersion: d.version,
  });

/** useFaults asks the server what is wrong with a model, a moment after it was changed last. */
export function useFaults(m: Model | undefined): Fault[] {
  const [faults, set] = useState<Fault[]>([]);
  const question = useRef(0);
  const document = m && JSON.stringify(cleaned(m));
  useEffect(() => {
    if (document === undefined) return;
    const mine = ++question.current;
    const timer = setTimeout(() => {
      validateModel(document).then(
        (v) => mine === question.current && set(v.faults),
        () => mine === question.current && set([]), // saving says what is the matter
      );
    }, 800);
    return () => clearTimeout(timer);
  }, [document]);
  return faults;
}

/** valueOf is a setting's value as the form has it; undefined: it has none, or a secret one that stays. */
export const valueOf = (t: Test, d: Draft, name: string): string | undefined => d.values[name] ?? (d.removed.includes(name) ? undefined : t.settings[name]);
